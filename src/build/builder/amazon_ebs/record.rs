//! The record of the image hash, kept in S3 while the instance starts.

use super::run::Run;
use crate::event::Fact;

impl Run<'_> {
    /// Keeps the record in S3 where that is wanted, before there is an image: so the image can say
    /// where it is from the start. Ends early when the build is interrupted.
    pub(super) async fn share_record(&self) {
        let Some(shared) = self.shared_record() else { return };
        if self.build.image.skip_create {
            return;
        }
        match self.interruptible(shared.put(self.client)).await {
            Ok(Ok(())) => {
                self.shared_at.get_or_init(|| shared.place().clone());
            }
            Ok(Err(error)) => {
                let hints = error.hints().into_iter().map(|hint| format!(" (hint: {hint})"));
                let text = format!(
                    "the record of the image hash is not kept in {}, so that `bake why` and `bake verify` will know less of this image on other machines: {error}{}",
                    shared.place(),
                    hints.collect::<String>()
                );
                self.context.events.emit(Fact::Warning { text }).await;
            }
            // The launch ends with it.
            Err(_) => {}
        }
    }
}
