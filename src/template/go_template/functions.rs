//! What the caller adds to the built-in functions.

use super::Data;

/// The functions that a template may call besides the built-in ones.
pub trait Functions {
    /// Calls a function; `None` when there is no such function. Errors say what is wrong
    /// and need not name the function.
    fn call(&self, name: &str, arguments: &[Data]) -> Option<Result<Data, String>>;

    /// The names of all functions: a template that calls another one is refused before it
    /// is rendered, and they are what a misspelt name is compared with.
    fn names(&self) -> Vec<&str>;

    /// What a call depends on besides its arguments.
    fn effect(&self, name: &str) -> Effect {
        let _ = name;
        Effect::Pure
    }
}

/// What a function's result depends on besides its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    Pure,
    /// The clock or chance: the next run gives something else.
    Volatile,
    /// What the caller knows under the name that is the first argument: a variable, an
    /// environment variable, a secret, a value of the build.
    Lookup,
}

/// No functions besides the built-in ones.
#[derive(Clone, Copy, Debug)]
pub struct NoFunctions;

impl Functions for NoFunctions {
    fn call(&self, _name: &str, _arguments: &[Data]) -> Option<Result<Data, String>> {
        None
    }

    fn names(&self) -> Vec<&str> {
        Vec::new()
    }
}
