use super::*;
use crate::limits::MIB;
use crate::stock::Stock;
use crate::test_elf::TestElf;
use crate::tzdram::Tzdram;

/// A TA of 12 KiB with a heap and a stack of its own.
fn app(name: &str, heap: u32, stack: u32, heap_demand: Option<u32>) -> PlannedApp {
    let file = TestElf::good().build();
    let mut app = crate::inspect(&file).unwrap();
    app.manifest.min_heap = Some(heap);
    app.manifest.min_stack = Some(stack);
    let first = name.bytes().next().unwrap_or_default();
    app.manifest.uuid = uuid::Uuid::from_bytes([first; 16]);
    PlannedApp { name: name.into(), app, file_size: file.len() as u64, heap_demand }
}

fn request(tzdram: u64, apps: Vec<PlannedApp>) -> Request {
    Request {
        soc: Soc::T194,
        tzdram: Tzdram::of_size(tzdram).unwrap(),
        stock: Stock::default(),
        apps,
        image: Some(100_000),
        partition: Some(2_621_440),
    }
}

fn codes(request: &Request) -> Vec<&'static str> {
    Plan::new(request).findings.iter().map(|finding| finding.code.name()).collect()
}

const STACK: u32 = 16 * 1024;

#[test]
fn device_memory_that_cannot_be_mapped_is_told() {
    let warned = |regions: &[(u32, u32, u32)]| {
        let mut app = app("a", 0x40000, STACK, Some(0x3f000));
        app.app.manifest.map_mem = regions
            .iter()
            .map(|(id, offset, size)| MapMem { id: *id, offset: *offset, size: *size })
            .collect();
        let plan = Plan::new(&request(MIB, vec![app]));
        let found = plan.findings.into_iter().filter(|finding| finding.code == Code::DeviceMemory);
        found.map(|finding| (finding.severity, finding.to_string())).collect::<Vec<_>>()
    };
    assert_eq!(warned(&[(1, 0x3ac_0000, 0x2000), (2, 0x3ac_0000, 1)]), []);
    for (regions, what) in [
        (&[(1, 0x3ac_0004, 0x1000)][..], "region 1: addr 0x3ac0004 is no multiple of 4096"),
        (
            &[(1, 0, 0x1000), (2, 0xffff_f000, 0x1001)],
            "region 2: 0x1001 bytes from 0xfffff000 are not within 4 GiB",
        ),
        (&[(1, 0, 0)], "region 1: 0x0 bytes from 0x0 are not within 4 GiB"),
        (&[(3, 0, 1), (3, 4096, 1)], "region 3 is listed twice"),
    ] {
        let found = warned(regions);
        let [(Severity::Warning, text)] = &found[..] else { panic!("{found:?}") };
        assert!(
            text.starts_with("device-memory: a has device memory (mem_map) that it cannot map: "),
            "{text}"
        );
        assert!(text.contains(what), "{text}");
    }
}

/// The forum's case: 256000 bytes under the default heap. The heap is the finding; a larger carve-out changes nothing.
#[test]
fn the_forums_case() {
    let forum = |tzdram| request(tzdram, vec![app("echo", 16_384, STACK, Some(256_000))]);
    for tzdram in [16 * MIB, 64 * MIB] {
        let plan = Plan::new(&forum(tzdram));
        let error = plan.errors().next().unwrap();
        assert_eq!(
            error.to_string(),
            "heap-demand: echo will allocate 256000 bytes (heap_demand), but its heap has 16384 bytes (min_heap), \
             whatever the carve-out"
        );
        assert_eq!(error.remedy, "set min_heap of echo to 252KiB or more");
        assert_eq!(plan.errors().count(), 1);
    }
    // With the heap raised the stock carve-out has room, and less would do.
    let mended = Plan::new(&request(16 * MIB, vec![app("echo", 262_144, STACK, Some(256_000))]));
    assert_eq!(mended.errors().count(), 0);
    let advice = &mended.findings[0];
    assert_eq!(advice.code, Code::TzdramSpare);
    assert!(advice.what.starts_with("a carve-out of 1MiB serves"), "{}", advice.what);
    assert!(advice.what.contains("buys nothing"));
    // Of TX2 nobody has seen that a board heeds it.
    let tx2 =
        Plan::new(&request(16 * MIB, vec![app("echo", 262_144, STACK, Some(256_000))]).with_soc(Soc::T186));
    assert_eq!((tx2.errors().count(), tx2.findings[0].code), (0, Code::CarveOutUnproved));
}

#[test]
fn sums_are_compared_with_the_carve_out() {
    let (large, other) = (12 << 20, (8 << 20) + (384 << 10));
    let apps = || vec![app("a", large, STACK, Some(large)), app("b", other, STACK, Some(other))];
    let plan = Plan::new(&request(16 * MIB, apps()));
    let error = plan.errors().next().unwrap();
    assert_eq!(error.code, Code::TzdramFull);
    assert_eq!(error.remedy, "set tzdram.size to 21MiB or more, or lower min_heap of the trusted apps");
    assert_eq!(codes(&request(21 * MIB, apps())), ["no-connections"]);
    assert!(codes(&request(22 * MIB, apps())).is_empty());
    let mut with_monitor = request(21 * MIB, apps());
    with_monitor.stock.monitor = true;
    assert_eq!(Plan::new(&with_monitor).memory.monitor, 256 * KIB);
    let many = (0..16).map(|i| app(&format!("{}", (b'a' + i) as char), 15 << 20, STACK, None)).collect();
    let error = Plan::new(&request(106 * MIB, many)).errors().next().unwrap().clone();
    assert!(error.remedy.starts_with("lower min_heap"), "{error:?}");
}

#[test]
fn the_partition_holds_the_signed_image() {
    let with = |image| {
        let mut request = request(MIB, Vec::new());
        request.image = Some(image);
        codes(&request)
    };
    assert_eq!(with(2_617_344), Vec::<&str>::new());
    assert_eq!(with(2_617_345), ["partition-full"]);
}

#[test]
fn what_may_fail_is_warned_of() {
    let one = |app| codes(&request(MIB, vec![app]));
    assert_eq!(one(app("a", 16_384, 4096, Some(1))), ["stack-small"]);
    assert_eq!(one(app("a", 16_384, 8192, Some(1))), Vec::<&str>::new());
    let near = app("a", 0x0100_0000 - 0xa000 - STACK - 4096, STACK, Some(15 << 20));
    assert_eq!(codes(&request(17 * MIB, vec![near])), ["near-stack"]);
    assert_eq!(one(app("a", 16_384, 8192, None)), ["demand-unknown"]);
    assert_eq!(one(app("a", 131_072, 8192, Some(50_000))), ["heap-spare"]);
    assert_eq!(one(app("a", 131_072, 8192, Some(70_000))), Vec::<&str>::new());
    assert_eq!(one(app("a", 655_360, 8192, Some(655_360))), ["no-connections"]);
}

#[test]
fn twins_are_errors() {
    let twins = vec![app("one", 16_384, STACK, Some(1)), app("other", 16_384, STACK, Some(1))];
    let plan = Plan::new(&request(2 * MIB, twins));
    let error = plan.errors().next().unwrap().to_string();
    assert!(error.starts_with("same-uuid: other has the same UUID as one: 6f6f6f6f-"), "{error}");
}

#[test]
fn address_spaces_have_no_gaps() {
    let plan = Plan::new(&request(2 * MIB, vec![app("a", 16_384, STACK, None)]));
    let ranges = &plan.address_spaces[0].ranges;
    assert_eq!((ranges[0].start, ranges[3].end), (0x8000, 0x0100_0000));
    assert!(ranges.windows(2).all(|pair| pair[0].end == pair[1].start));
    assert_eq!(ranges[1].end - ranges[1].start, 16_384);
}

proptest::proptest! {
    /// Whatever is asked, a plan without errors fits, and one that does not fit has an error.
    #[test]
    fn errors_are_what_does_not_fit(tzdram in 1u64..107, heaps in proptest::collection::vec(1u32..16_000_000, 0..9)) {
        let names = (b'a'..).map(|name| (name as char).to_string());
        let apps = names.zip(heaps).map(|(name, heap)| app(&name, heap, STACK, None)).collect();
        let plan = Plan::new(&request(tzdram * MIB, apps));
        let fits = plan.memory.free >= 0;
        proptest::prop_assert_eq!(plan.errors().count() == 0, fits);
        if let Some(least) = plan.least {
            proptest::prop_assert!(plan.memory.in_carve_out(least).free >= 0);
        }
    }
}
