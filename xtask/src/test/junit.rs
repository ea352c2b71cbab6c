//! What a test runner has written of its tests, in JUnit's form.

use roxmltree::Document;

/// How the line begins by which a test says that it was skipped, and why.
const SKIPPED: &str = "skipped: ";

/// A test that has run.
#[derive(Debug, PartialEq)]
pub struct Ran {
    /// Its binary and its name.
    pub name: String,
    /// How long it took.
    pub seconds: f64,
    /// If it failed, what the runner has of the cause: the panic's message.
    pub failed: Option<String>,
    /// Why it was skipped, if it says so.
    pub skipped: Option<String>,
}

/// Reads them.
pub fn read(text: &str) -> Result<Vec<Ran>, roxmltree::Error> {
    let document = Document::parse(text)?;
    let cases = document.descendants().filter(|node| node.has_tag_name("testcase"));
    let ran = cases.map(|case| {
        let of = |name| case.attribute(name).unwrap_or_default();
        let failure =
            case.children().find(|child| child.has_tag_name("failure") || child.has_tag_name("error"));
        let cause = failure.map(|node| {
            let said = node.text().map(str::trim).filter(|text| !text.is_empty());
            said.or(node.attribute("message")).unwrap_or_default().to_owned()
        });
        let said = case
            .children()
            .filter(|child| child.has_tag_name("system-out") || child.has_tag_name("system-err"));
        let mut lines = said.flat_map(|child| child.text().unwrap_or_default().lines());
        Ran {
            name: format!("{} {}", of("classname"), of("name")),
            seconds: of("time").parse().unwrap_or_default(),
            failed: cause,
            skipped: lines.find_map(|line| line.strip_prefix(SKIPPED)).map(str::to_owned),
        }
    });
    Ok(ran.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_told_apart() {
        let text = r#"<testsuites><testsuite name="a">
            <testcase name="x::y" classname="a" time="1.5"><system-out>running 1 test
skipped: no board is there
</system-out></testcase>
            <testcase name="z" classname="a" time="0.25"><failure message="thread 'z' panicked" type="test failure">
thread 'z' panicked at a.rs:1:
no such file
</failure></testcase>
            <testcase name="v" classname="a" time="0.25"><failure message="terminated" type="test timeout"/></testcase>
            <testcase name="w" classname="a" time="0.1"><system-err>not skipped: it ran</system-err></testcase>
            </testsuite></testsuites>"#;
        let ran = read(text).unwrap();
        assert_eq!(ran.len(), 4);
        assert_eq!((ran[0].name.as_str(), ran[0].seconds), ("a x::y", 1.5));
        assert_eq!(ran[0].skipped.as_deref(), Some("no board is there"));
        let failed: Vec<Option<&str>> = ran.iter().map(|r| r.failed.as_deref()).collect();
        let panic = "thread 'z' panicked at a.rs:1:\nno such file";
        assert_eq!(failed, [None, Some(panic), Some("terminated"), None]);
        assert_eq!(ran[3].skipped, None);
    }
}
