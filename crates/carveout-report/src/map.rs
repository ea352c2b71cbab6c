//! Maps to scale, as SVG: a bar of the whole, and beside it the parts that would be too small to see, magnified.
//!
//! Every height is its bytes times a constant. What is small gets its label from a line that leads to it; labels keep their
//! distance.

use super::figures::plain;
use carveout_host::size::human;
use maud::{Markup, html};
use std::ops::Range;

/// Units of the drawing, which is as wide as a phone's page.
const WIDTH: f64 = 400.0;
/// Above the bars: what they are.
const TOP: f64 = 24.0;
/// Bars are as high as their labels need, and at least so high.
const HEIGHT: f64 = 340.0;
/// Between two labels.
const LINE: f64 = 18.0;
/// A segment that is so high has its label beside it in the bar of the whole.
const LARGE: f64 = 2.0 * LINE;
/// Most labels of the magnified bar: the table has the rest.
const LABELS: usize = 22;
/// Characters of a name.
const NAME: usize = 17;
/// The same beside the bar of the whole.
const SHORT_NAME: usize = 11;
/// What is magnified is less than this share of the whole.
const SMALL: f64 = 0.34;

/// A part of a segment: a band of the bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Band {
    /// What it is: a class of the style sheet.
    pub kind: &'static str,
    /// Its size.
    pub bytes: u64,
}

/// A piece of the whole, with a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its name.
    pub name: String,
    /// Its parts, in order.
    pub parts: Vec<Band>,
}

impl Segment {
    /// A segment of parts; those of no bytes are left out.
    pub fn new(name: &str, parts: &[(&'static str, u64)]) -> Self {
        let parts =
            parts.iter().filter(|(_, bytes)| *bytes > 0).map(|(kind, bytes)| Band { kind, bytes: *bytes });
        Self { name: name.into(), parts: parts.collect() }
    }

    /// Bytes of all parts.
    pub fn bytes(&self) -> u64 {
        self.parts.iter().fold(0, |sum, part| sum.saturating_add(part.bytes))
    }
}

/// A map.
#[derive(Clone, Debug)]
pub struct Map<'a> {
    /// Unique on the page.
    pub id: String,
    /// What is shown.
    pub title: String,
    /// The same in a sentence, for those who do not see it.
    pub description: String,
    /// In order.
    pub segments: &'a [Segment],
}

/// A segment in a bar.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Placed<'a> {
    segment: &'a Segment,
    y: f64,
    height: f64,
}

/// A bar of segments.
#[derive(Clone, Debug)]
struct Bar<'a> {
    x: f64,
    width: f64,
    placed: Vec<Placed<'a>>,
}

impl<'a> Bar<'a> {
    fn new(x: f64, width: f64, segments: impl Iterator<Item = &'a Segment>, height: f64) -> Self {
        let segments: Vec<&Segment> = segments.collect();
        let total: f64 = segments.iter().map(|segment| segment.bytes() as f64).sum();
        let mut y = TOP;
        let place = |segment: &&'a Segment| {
            let placed = Placed { segment, y, height: height * segment.bytes() as f64 / total.max(1.0) };
            y += placed.height;
            placed
        };
        Self { x, width, placed: segments.iter().map(place).collect() }
    }

    fn svg(&self) -> Markup {
        html! {
            @for Placed { segment, y, height } in &self.placed {
                g {
                    title { (plain(&segment.name)) ", " (human(segment.bytes())) }
                    @for (part, from) in parts(segment, *y, *height) {
                        rect class={ "part " (part.kind) } x=(units(self.x)) y=(units(from.start)) width=(units(self.width)) height=(units(from.end - from.start)) {}
                    }
                    // A line between neighbours, where it hides nothing.
                    @if *height > 4.0 {
                        rect class="edge" x=(units(self.x)) y=(units(*y)) width=(units(self.width)) height=(units(*height)) {}
                    }
                }
            }
        }
    }

    /// Labels on the right, each led to the middle of its segment; with more than fit, the largest ones.
    fn labels(&self, x: f64, bottom: f64) -> Markup {
        let mut shown: Vec<&Placed> = self.placed.iter().collect();
        let more = shown.len().saturating_sub(LABELS);
        if more > 0 {
            shown.sort_by(|a, b| b.height.total_cmp(&a.height));
            shown.truncate(LABELS - 1);
            shown.sort_by(|a, b| a.y.total_cmp(&b.y));
        }
        let middles: Vec<f64> = shown.iter().map(|placed| placed.y + placed.height / 2.0).collect();
        let last = if more > 0 { bottom - LINE } else { bottom };
        let lines = spread(&middles, TOP + LINE / 2.0, last - LINE / 2.0);
        let edge = self.x + self.width;
        html! {
            @for ((placed, middle), line) in shown.iter().zip(&middles).zip(&lines) {
                path class="leader" d={ "M" (units(edge)) " " (units(*middle)) "L" (units(x - 8.0)) " " (units(*line)) "H" (units(x - 3.0)) } {}
                text x=(units(x)) y=(units(line + 4.0)) { (short(&placed.segment.name, NAME)) }
                text class="figure" x=(units(WIDTH)) y=(units(line + 4.0)) { (human(placed.segment.bytes())) }
            }
            @if more > 0 {
                text class="more" x=(units(x)) y=(units(bottom - 4.0)) { "and " (more + 1) " more, in the table" }
            }
        }
    }
}

/// Where the parts of a segment lie.
fn parts(segment: &Segment, y: f64, height: f64) -> Vec<(Band, Range<f64>)> {
    let total = (segment.bytes() as f64).max(1.0);
    let mut from = y;
    let place = |part: &Band| {
        let start = from;
        from += height * part.bytes as f64 / total;
        (*part, start..from)
    };
    segment.parts.iter().map(place).collect()
}

/// Moves sorted positions apart as far as labels need it, no farther than the ends, and on the whole as little as possible.
fn spread(wanted: &[f64], first: f64, last: f64) -> Vec<f64> {
    // Without the lines between them, labels may share a place but not change their order: neighbours that would are one
    // group at their mean (isotonic regression).
    let mut groups: Vec<(f64, usize)> = Vec::new();
    for (index, position) in wanted.iter().enumerate() {
        let mut group = (position - index as f64 * LINE, 1);
        while let Some((mean, count)) = groups.pop_if(|(mean, _)| *mean > group.0) {
            let all = count + group.1;
            group = ((mean * count as f64 + group.0 * group.1 as f64) / all as f64, all);
        }
        groups.push(group);
    }
    let room = last - wanted.len().saturating_sub(1) as f64 * LINE;
    let places =
        groups.iter().flat_map(|(mean, count)| std::iter::repeat_n(mean.min(room).max(first), *count));
    places.enumerate().map(|(index, place)| place + index as f64 * LINE).collect()
}

/// A number of the drawing.
fn units(value: f64) -> String {
    format!("{value:.2}")
}

/// A name that fits.
fn short(name: &str, most: usize) -> String {
    let name = plain(name);
    if name.chars().count() <= most {
        return name;
    }
    name.chars().take(most - 1).chain(['…']).collect()
}

impl Map<'_> {
    /// The drawing.
    pub fn svg(&self) -> Markup {
        let total: f64 = self.segments.iter().map(|segment| segment.bytes() as f64).sum();
        let segments = || self.segments.iter().filter(|segment| segment.bytes() > 0);
        let is_large =
            |segment: &Segment, height: f64| segment.bytes() as f64 * height / total.max(1.0) >= LARGE;
        let small: f64 = segments().filter(|s| !is_large(s, HEIGHT)).map(|s| s.bytes() as f64).sum();
        let magnified = small > 0.0 && small < SMALL * total;
        let labelled = segments().filter(|s| !magnified || !is_large(s, HEIGHT)).count().min(LABELS);
        let height = HEIGHT.max(labelled as f64 * LINE);
        let bottom = TOP + height;
        html! {
            svg class="map" role="img" viewBox={ "0 0 " (WIDTH) " " (units(bottom + 4.0)) } aria-labelledby={ (self.id) "-title " (self.id) "-desc" } {
                title id={ (self.id) "-title" } { (plain(&self.title)) }
                desc id={ (self.id) "-desc" } { (plain(&self.description)) }
                @if magnified {
                    @let whole = Bar::new(88.0, 34.0, segments(), height);
                    @let zoom = Bar::new(152.0, 34.0, segments().filter(|s| !is_large(s, HEIGHT)), height);
                    text class="head" x="122" y="14" text-anchor="end" { (human(total as u64)) }
                    text class="head" x="152" y="14" { (human(small as u64)) ", " (magnification(total / small)) " times as high" }
                    (wedges(&whole, &zoom))
                    (whole.svg())
                    @for placed in whole.placed.iter().filter(|placed| is_large(placed.segment, HEIGHT)) {
                        @let middle = placed.y + placed.height / 2.0;
                        text class="beside" x="80" y=(units(middle - 4.0)) { (short(&placed.segment.name, SHORT_NAME)) }
                        text class="beside figure" x="80" y=(units(middle + 12.0)) { (human(placed.segment.bytes())) }
                    }
                    (zoom.svg())
                    (zoom.labels(212.0, bottom))
                } @else {
                    @let whole = Bar::new(0.0, 60.0, segments(), height);
                    text class="head" x="0" y="14" { (human(total as u64)) }
                    (whole.svg())
                    (whole.labels(92.0, bottom))
                }
            }
        }
    }
}

/// How much higher the magnified bar is, in figures that mean something.
fn magnification(factor: f64) -> String {
    if factor < 10.0 { format!("{factor:.1}") } else { format!("{factor:.0}") }
}

/// From each run of small segments in the whole to the same in the magnified bar.
fn wedges(whole: &Bar, zoom: &Bar) -> Markup {
    let mut runs: Vec<[f64; 4]> = Vec::new();
    let mut magnified = zoom.placed.iter().peekable();
    let mut joined = false;
    for placed in &whole.placed {
        let Some(same) = magnified.next_if(|other| std::ptr::eq(other.segment, placed.segment)) else {
            joined = false;
            continue;
        };
        let (end, zoom_end) = (placed.y + placed.height, same.y + same.height);
        match runs.last_mut().filter(|_| joined) {
            Some(run) => [run[1], run[3]] = [end, zoom_end],
            None => runs.push([placed.y, end, same.y, zoom_end]),
        }
        joined = true;
    }
    let (from, to) = (whole.x + whole.width, zoom.x);
    html! {
        @for [start, end, zoom_start, zoom_end] in runs {
            path class="wedge" d={
                "M" (units(from)) " " (units(start)) "L" (units(to)) " " (units(zoom_start)) "V" (units(zoom_end))
                "L" (units(from)) " " (units(end)) "Z"
            } {}
        }
    }
}

/// A bar in a table: how much of a size is used.
pub fn fill(used: u64, size: u64) -> Markup {
    let width = 100.0 * used.min(size) as f64 / size.max(1) as f64;
    html! {
        svg class="fill" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" {
            rect class="part unused" width="100" height="8" {}
            rect class="part used" width=(units(width)) height="8" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use roxmltree::Document;

    fn draw(segments: &[Segment]) -> String {
        let (title, description) = ("t".into(), "d".into());
        Map { id: "m".into(), title, description, segments }.svg().into_string()
    }

    /// Class, x, y and height of each part.
    fn rects(svg: &str) -> Vec<(String, f64, f64, f64)> {
        let document = Document::parse(svg).unwrap();
        let number =
            |node: &roxmltree::Node, name: &str| node.attribute(name).unwrap().parse::<f64>().unwrap();
        let parts =
            document.descendants().filter(|n| n.attribute("class").is_some_and(|c| c.starts_with("part ")));
        let told = |n: roxmltree::Node| {
            let class = n.attribute("class").unwrap()["part ".len()..].to_owned();
            (class, number(&n, "x"), number(&n, "y"), number(&n, "height"))
        };
        parts.map(told).collect()
    }

    fn carve_out() -> Vec<Segment> {
        vec![
            Segment::new("kernel", &[("kernel", 1 << 20)]),
            Segment::new("a", &[("image", 65536), ("heap", 262_144), ("stack", 32768)]),
            Segment::new("free", &[("free", 30 << 20)]),
        ]
    }

    #[test]
    fn heights_are_bytes_times_a_constant_in_both_bars() {
        let segments = carve_out();
        let rects = rects(&draw(&segments));
        let total: u64 = segments.iter().map(Segment::bytes).sum();
        let of_bar = |x: f64| rects.iter().filter(move |r| r.1 == x).collect::<Vec<_>>();
        let whole = of_bar(88.0);
        let bytes: Vec<u64> = segments.iter().flat_map(|s| &s.parts).map(|p| p.bytes).collect();
        assert_eq!(whole.len(), bytes.len());
        for (rect, bytes) in whole.iter().zip(&bytes) {
            let expected = HEIGHT * *bytes as f64 / total as f64;
            assert!((rect.3 - expected).abs() <= 0.005, "{rect:?} {expected}");
        }
        let zoom = of_bar(152.0);
        assert_eq!(
            zoom.iter().map(|r| r.0.as_str()).collect::<Vec<_>>(),
            ["kernel", "image", "heap", "stack"]
        );
        let small: u64 = bytes[..4].iter().sum();
        for (rect, bytes) in zoom.iter().zip(&bytes) {
            let expected = HEIGHT * *bytes as f64 / small as f64;
            assert!((rect.3 - expected).abs() <= 0.005, "{rect:?} {expected}");
        }
        for pair in zoom.windows(2) {
            assert!((pair[0].2 + pair[0].3 - pair[1].2).abs() <= 0.011, "without gaps: {pair:?}");
        }
    }

    #[test]
    fn what_is_large_enough_is_not_magnified() {
        let halves = [Segment::new("a", &[("used", 5)]), Segment::new("b", &[("unused", 5)])];
        let rects = rects(&draw(&halves));
        assert_eq!(rects.len(), 2);
        assert!(rects.iter().all(|r| r.1 == 0.0 && r.3 == HEIGHT / 2.0), "{rects:?}");
    }

    /// The y of each label on the right.
    fn lines(svg: &str) -> Vec<f64> {
        let document = Document::parse(svg).unwrap();
        let labels =
            document.descendants().filter(|n| n.has_tag_name("text") && n.attribute("x") == Some("212.00"));
        labels.map(|n| n.attribute("y").unwrap().parse().unwrap()).collect()
    }

    #[test]
    fn labels_never_overlap() {
        for count in [1, 5, LABELS, LABELS + 1, 200] {
            let mut segments: Vec<Segment> = (0..count)
                .map(|i| Segment::new(&format!("p{i}"), &[("used", 1 + i as u64 % 7 * 1000)]))
                .collect();
            segments.push(Segment::new("APP", &[("used", 1 << 40)]));
            let svg = draw(&segments);
            let lines = lines(&svg);
            assert_eq!(lines.len(), count.min(LABELS));
            for pair in lines.windows(2) {
                assert!(pair[1] - pair[0] >= LINE - 4.01, "{count}: {pair:?}");
            }
            let height: f64 =
                svg.split("viewBox=\"0 0 400 ").nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
            assert!(lines.iter().all(|y| *y > TOP && *y < height), "{count}: {lines:?}");
            assert_eq!(svg.contains("more, in the table"), count > LABELS, "{count}");
        }
    }

    #[test]
    fn the_share_of_a_table_s_bar_is_its_width() {
        assert!(fill(1, 4).into_string().contains("width=\"25.00\""));
        assert!(fill(9, 4).into_string().contains("class=\"part used\" width=\"100.00\""));
        assert!(fill(0, 0).into_string().contains("class=\"part used\" width=\"0.00\""));
    }

    #[test]
    fn nothing_and_names_of_any_kind_are_drawn() {
        assert_eq!(rects(&draw(&[])), []);
        let hostile =
            [Segment::new("<script>\u{202e}\"&", &[("used", u64::MAX)]), Segment::new("b", &[("used", 1)])];
        let svg = draw(&hostile);
        assert!(Document::parse(&svg).is_ok() && !svg.contains("<script"), "{svg}");
    }
}
