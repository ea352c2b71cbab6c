//! Of what a failure consists: its entry in the reference, its cause, its facts.

use super::exit::Exit;
use serde_json::{Map, Value};
use std::io;
use std::path::PathBuf;

/// One kind of failure, for the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What scripts read; it never changes.
    pub code: &'static str,
    /// How a command ends of it.
    pub exit: Exit,
    /// When it happens.
    pub about: &'static str,
    /// The message, with `{}` for what is put in.
    pub message: &'static str,
    /// What mends it, the same.
    pub help: Option<&'static str>,
}

/// A cause that is somebody else's error.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What a failure is about: the fields of its variant.
pub trait Field {
    /// For machines; none of what is told as a cause.
    fn fact(&self) -> Option<Value>;

    /// The cause, if it is one.
    fn cause(&self) -> Option<&(dyn std::error::Error + 'static)> {
        None
    }
}

macro_rules! plain {
    ($($type:ty),*) => {
        $(impl Field for $type {
            fn fact(&self) -> Option<Value> {
                Some(Value::from(self.clone()))
            }
        })*
    };
}

plain!(String, &'static str, bool, u8, u16, u32, u64, usize, i32, i64, f64, Value, Vec<String>);

impl Field for PathBuf {
    fn fact(&self) -> Option<Value> {
        Some(Value::from(self.display().to_string()))
    }
}

impl<T: Field> Field for Option<T> {
    fn fact(&self) -> Option<Value> {
        self.as_ref().and_then(Field::fact)
    }

    fn cause(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.as_ref().and_then(Field::cause)
    }
}

impl Field for io::Error {
    fn fact(&self) -> Option<Value> {
        None
    }

    fn cause(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(self)
    }
}

impl Field for Cause {
    fn fact(&self) -> Option<Value> {
        None
    }

    fn cause(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&**self)
    }
}

/// The facts of fields, by their names.
pub fn facts<'a>(fields: impl IntoIterator<Item = (&'static str, &'a dyn Field)>) -> Map<String, Value> {
    let known = fields.into_iter().filter_map(|(name, field)| Some((name.to_owned(), field.fact()?)));
    known.collect()
}
