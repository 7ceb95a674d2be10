//! The `options!` macro.

/// Declares the options of a component: `hashed` and `unhashed` say whether a
/// value is part of the image's identity, `flat` takes in the options of another
/// declaration, `= …` gives a default. Options whose type is `Option`, a list or
/// a map may be left out; a field that is itself such a struct is a block, a
/// `Vec` of it a block that may be repeated.
///
/// ```
/// bake::options! {
///     /// Options of the `sleep` provisioner.
///     pub struct SleepOptions {
///         /// How long to sleep.
///         unhashed duration: std::time::Duration,
///         /// Said before.
///         unhashed note: String = "sleeping".to_owned(),
///     }
/// }
/// ```
#[macro_export]
macro_rules! options {
    (
        $(#[doc = $doc:expr])*
        $vis:vis struct $name:ident {
            $(
                $(#[doc = $field_doc:expr])*
                $role:ident $field:ident : $type:ty $(= $default:expr)?
            ),* $(,)?
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug)]
        $vis struct $name {
            $( $(#[doc = $field_doc])* pub $field: $type, )*
        }

        #[allow(unreachable_pub, reason = "a declaration may be private to its component")]
        impl $name {
            /// What these options are.
            pub fn schema() -> &'static $crate::template::schema::Schema {
                static SCHEMA: ::std::sync::OnceLock<$crate::template::schema::Schema> =
                    ::std::sync::OnceLock::new();
                SCHEMA.get_or_init(Self::make_schema)
            }

            fn make_schema() -> $crate::template::schema::Schema {
                let options: ::std::vec::Vec<::std::vec::Vec<_>> = ::std::vec![$(
                    $crate::options!(
                        @schema $role $field ($type) [$($default)?] [$($field_doc),*]
                    )
                ),*];
                $crate::template::schema::Schema {
                    doc: [$($doc),*].concat().trim().to_owned(),
                    options: options.into_iter().flatten().collect(),
                }
            }

            /// Reads these options out of a body; `None` when the decoder has found errors.
            #[allow(unused_variables, reason = "a declaration may have no options")]
            pub fn decode_options(
                raw: &$crate::template::schema::RawOptions<'_>,
                decoder: &mut $crate::template::schema::Decoder<'_>,
            ) -> ::std::option::Option<Self> {
                $(
                    let $field = $crate::options!(
                        @decode $role raw decoder $field ($type) [$($default)?]
                    );
                )*
                ::std::option::Option::Some(Self { $( $field: $field?, )* })
            }
        }

        impl $crate::template::schema::OptionType for $name {
            fn shape() -> $crate::template::schema::Shape {
                $crate::template::schema::Shape::Block { schema: Self::schema, repeated: false }
            }

            fn from_value(
                _: &$crate::value::Value,
            ) -> ::std::result::Result<Self, ::std::string::String> {
                ::std::result::Result::Err("a block is expected".to_owned())
            }

            fn from_blocks(
                blocks: &[$crate::template::schema::FoundBlock<'_>],
                decoder: &mut $crate::template::schema::Decoder<'_>,
            ) -> ::std::option::Option<Self> {
                decoder.single_block(blocks, Self::schema(), Self::decode_options)
            }

            fn canonical(&self) -> ::serde_json::Value {
                // Blocks get their canonical form from what the decoder recorded.
                ::serde_json::Value::Null
            }
        }
    };

    (@schema flat $field:ident ($type:ty) [] [$($doc:expr),*]) => {
        <$type>::schema().options.clone()
    };
    (@schema $role:ident $field:ident ($type:ty) [$($default:expr)?] [$($doc:expr),*]) => {
        ::std::vec![$crate::template::schema::OptionSpec {
            name: stringify!($field).trim_start_matches("r#"),
            doc: [$($doc),*].concat().trim().to_owned(),
            hashed: $crate::options!(@hashed $role),
            required: $crate::options!(@absent ($type) [$($default)?]).is_none(),
            default: $crate::options!(@absent ($type) [$($default)?])
                .as_ref()
                .map(<$type as $crate::template::schema::OptionType>::canonical),
            shape: <$type as $crate::template::schema::OptionType>::shape(),
        }]
    };

    (@decode flat $raw:ident $decoder:ident $field:ident ($type:ty) []) => {
        <$type>::decode_options($raw, $decoder)
    };
    (@decode $role:ident $raw:ident $decoder:ident $field:ident ($type:ty) [$($default:expr)?]) => {
        $decoder.option::<$type>(
            $raw,
            stringify!($field).trim_start_matches("r#"),
            $crate::options!(@hashed $role),
            $crate::options!(@absent ($type) [$($default)?]),
        )
    };

    (@hashed hashed) => { true };
    (@hashed unhashed) => { false };

    (@absent ($type:ty) []) => {
        <$type as $crate::template::schema::OptionType>::absent()
    };
    (@absent ($type:ty) [$default:expr]) => {
        ::std::option::Option::<$type>::Some($default)
    };
}
