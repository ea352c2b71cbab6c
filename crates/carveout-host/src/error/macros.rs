//! How a crate says what can go wrong in it: an enum whose variants have a code, a kind, a message and a help, written once.

/// Defines the errors of a crate. For each variant: when it happens (its doc comment), what it is about (its fields), how a command ends
/// of it (`check`, `usage` or `environment`), its code, and what is told, in the form of [`format!`], with the fields by their names:
///
/// ```
/// carveout_host::errors! {
///     /// What can go wrong with devices.
///     pub enum DeviceError("device") {
///         /// The bundle is for another board than the device.
///         WrongBoard { path: std::path::PathBuf, board: String }
///             => usage "wrong-board": ("{}: is for board {board}", path.display()),
///             help ("take a bundle that was built for it");
///         /// The device has gone.
///         Gone { source: std::io::Error } => environment "gone": ("the device has gone: {source}");
///     }
/// }
/// let error = carveout_host::error::Error::from(DeviceError::WrongBoard { path: "a".into(), board: "b".into() });
/// assert_eq!(error.code, "device::wrong-board");
/// assert_eq!(error.to_string(), "a: is for board b\n  help: take a bundle that was built for it");
/// ```
///
/// A help that depends on the case is an expression for `Option<String>`: `help = hint.clone()`. A field that is an error is its cause.
#[macro_export]
macro_rules! errors {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident($prefix:literal) {
            $(
                $(#[doc = $about:literal])+
                $variant:ident $({ $($field:ident: $type:ty),* $(,)? })?
                => $kind:ident $code:literal: ($message:literal $($arguments:tt)*)
                $(, help ($help:literal $($helped:tt)*))?
                $(, help = $computed:expr)?;
            )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug)]
        #[allow(missing_docs)]
        $vis enum $name {
            $($(#[doc = $about])+ $variant $({ $($field: $type),* })?,)*
        }

        impl $name {
            /// All of them, for the reference.
            $vis const CATALOG: &'static [$crate::error::Entry] = &[
                $($crate::error::Entry {
                    code: concat!($prefix, "::", $code),
                    exit: $crate::errors!(@exit $kind),
                    about: concat!($($about),+),
                    message: $message,
                    help: $crate::errors!(@help $($help)? $(, $computed)?),
                },)*
            ];

            /// What scripts read; it never changes.
            $vis fn code(&self) -> &'static str {
                match self { $(Self::$variant { .. } => concat!($prefix, "::", $code),)* }
            }
        }

        #[allow(unused_variables)]
        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter) -> ::std::fmt::Result {
                match self {
                    $(Self::$variant $({ $($field),* })? => ::std::write!(f, $message $($arguments)*),)*
                }
            }
        }

        impl ::std::error::Error for $name {
            fn source(&self) -> ::std::option::Option<&(dyn ::std::error::Error + 'static)> {
                match self {
                    $(Self::$variant $({ $($field),* })? => {
                        let fields: &[&dyn $crate::error::Field] = &[$($($field),*)?];
                        fields.iter().find_map(|field| field.cause())
                    })*
                }
            }
        }

        #[allow(unused_variables)]
        impl ::std::convert::From<$name> for $crate::error::Error {
            fn from(error: $name) -> Self {
                let (exit, help, facts) = match &error {
                    $($name::$variant $({ $($field),* })? => {
                        let help: ::std::option::Option<::std::string::String> =
                            $crate::errors!(@told $(($help $($helped)*))? $(= $computed)?);
                        let fields: &[(&'static str, &dyn $crate::error::Field)] =
                            &[$($((::std::stringify!($field), $field)),*)?];
                        ($crate::errors!(@exit $kind), help, $crate::error::facts(fields.iter().copied()))
                    })*
                };
                Self::of(error.code(), exit, &error, help, facts)
            }
        }
    };
    (@exit check) => { $crate::error::Exit::Check };
    (@exit usage) => { $crate::error::Exit::Usage };
    (@exit environment) => { $crate::error::Exit::Environment };
    (@exit interrupted) => { $crate::error::Exit::Interrupted };
    (@help $help:literal) => { ::std::option::Option::Some($help) };
    (@help $($computed:tt)*) => { ::std::option::Option::None };
    (@told ($help:literal $($helped:tt)*)) => { ::std::option::Option::Some(::std::format!($help $($helped)*)) };
    (@told = $computed:expr) => { $computed };
    (@told) => { ::std::option::Option::None };
}
