//! Finds the line of a value in YAML, in whatever style it is written.

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::collections::HashSet;
use std::fmt;

/// One step towards a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// Into a mapping.
    Key(&'a str),
    /// Into a sequence.
    Index(usize),
}

/// The 1-based line of the value at `path`, or of what comes nearest to it.
pub fn line(yaml: &str, path: &[Step]) -> usize {
    // The value is made an error on purpose: the parser then says where it is.
    let error = Seek { path }.deserialize(serde_yaml::Deserializer::from_str(yaml)).err();
    error.and_then(|e| e.location()).map_or(1, |location| location.line())
}

/// The 1-based line of the first key that its mapping has twice.
pub fn duplicate(yaml: &str) -> Option<usize> {
    let error = Twice.deserialize(serde_yaml::Deserializer::from_str(yaml)).err()?;
    error.location().map(|location| location.line())
}

/// Any value, with no key twice. As for a sought value, what is found is made an error.
struct Twice;

impl<'de> DeserializeSeed<'de> for Twice {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Twice {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut keys = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            if !keys.insert(key) {
                return map.next_value_seed(Seek { path: &[] });
            }
            map.next_value_seed(Twice)?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Twice)?.is_some() {}
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

struct Seek<'a> {
    path: &'a [Step<'a>],
}

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("the value that is looked for")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((Step::Key(wanted), rest)) = self.path.split_first() else {
            return Err(A::Error::custom("found"));
        };
        while let Some(key) = map.next_key::<String>()? {
            if key == *wanted {
                return map.next_value_seed(Seek { path: rest });
            }
            map.next_value::<IgnoredAny>()?;
        }
        Err(A::Error::custom("missing"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Some((Step::Index(wanted), rest)) = self.path.split_first() else {
            return Err(A::Error::custom("found"));
        };
        for _ in 0..*wanted {
            seq.next_element::<IgnoredAny>()?;
        }
        seq.next_element_seed(Seek { path: rest })?;
        Err(A::Error::custom("missing"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found() {
        let yaml = "name: desk\n# x\ntzdram: { size: 1,\n  alignment: 2 }\ntrusted_apps:\n  - a\n  - package: b\n    \
                    min_heap: 3\n  - { elf: c }\n";
        let at = |path: &[Step]| line(yaml, path);
        use Step::{Index, Key};
        assert_eq!(at(&[Key("name")]), 1);
        assert_eq!(at(&[Key("tzdram"), Key("size")]), 3);
        assert_eq!(at(&[Key("tzdram"), Key("alignment")]), 4);
        assert_eq!(at(&[Key("trusted_apps"), Index(0)]), 6);
        assert_eq!(at(&[Key("trusted_apps"), Index(1), Key("package")]), 7);
        assert_eq!(at(&[Key("trusted_apps"), Index(1), Key("min_heap")]), 8);
        assert_eq!(at(&[Key("trusted_apps"), Index(2), Key("elf")]), 9);
        assert_eq!(at(&[Key("trusted_apps"), Index(2)]), 9);
    }

    #[test]
    fn keys_that_stand_twice_are_found() {
        let scalars = "a: 1\nb: -1\nc: 1.5\nd: true\ne:\nf: x\n";
        assert_eq!(duplicate(scalars), None);
        assert_eq!(duplicate(&format!("{scalars}g: [1, {{ h: 2,\n h: 3 }}]\n")), Some(8));
        assert_eq!(duplicate(&format!("{scalars}b: [1]\n")), Some(7));
        assert_eq!(duplicate("a: { b: 1 }\nc: { b: 1 }\n"), None);
    }
}
