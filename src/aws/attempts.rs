//! What earlier attempts of a call came to.
//!
//! The SDK repeats calls by itself and shows only the last answer. When an earlier one was lost, the
//! call may have had its effect, however clear the last answer is: a name is taken by what the first
//! attempt has made, or the second one is refused because the credentials have just expired.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextMut, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};

/// Marks an answer before which another was lost.
const HEADER: &str = "x-bake-earlier-attempt";

/// Whether the call may have had an effect before the attempt with this answer.
pub(super) fn was_unclear(response: &HttpResponse) -> bool {
    response.headers().get(HEADER).is_some()
}

/// Remembers attempts without a clear answer, and marks the answers after them.
#[derive(Debug)]
pub(super) struct Attempts;

/// There was such an attempt.
#[derive(Debug)]
struct Unclear;

impl Storable for Unclear {
    type Storer = StoreReplace<Self>;
}

impl Intercept for Attempts {
    fn name(&self) -> &'static str {
        "Attempts"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(Err(error)) = context.output_or_error() else { return Ok(()) };
        let refused = context.response().is_some_and(|answer| answer.status().as_u16() < 500);
        if !refused || !error.is_operation_error() {
            config.interceptor_state().store_put(Unclear);
        }
        Ok(())
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if config.load::<Unclear>().is_some() {
            context.response_mut().headers_mut().insert(HEADER, "unclear");
        }
        Ok(())
    }
}
