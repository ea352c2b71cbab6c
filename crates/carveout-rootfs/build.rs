//! Digests of the code of the stages.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    stage_code::write()
}
