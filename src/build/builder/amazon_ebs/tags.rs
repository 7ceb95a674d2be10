//! The tags that say whose a resource is.

use crate::aws::Tags;
use crate::build::BuildContext;
use crate::build::lease::HOLDER;

/// Id of the run that made it.
pub const RUN_ID: &str = "bake:run-id";
/// The build that it was made for.
const BUILD: &str = "bake:build";
/// Who started the run.
const OWNER: &str = "bake:owner";
/// When the run is certainly over.
pub const DEADLINE: &str = "bake:deadline";
/// The image hash. It is written last: what has it is complete.
pub const IMAGE_HASH: &str = "bake:image-hash";

/// Where in S3 the record of the image hash is: `s3://BUCKET/PREFIX`.
pub const RECORDS: &str = "bake:records";

/// Tags of what goes away with the run: the template's and ours.
pub(super) fn temporary(context: &BuildContext, owner: Option<&str>, template: &Tags) -> Tags {
    let mut tags = template.clone();
    tags.entry("Name".to_owned()).or_insert_with(|| "Packer Builder".to_owned());
    tags.extend(marks(context));
    tags.extend(owner.map(|owner| (OWNER.to_owned(), owner.to_owned())));
    tags.extend(deadline(context));
    tags
}

/// When a build that has not said anything from now on is certainly over.
pub(super) fn deadline(context: &BuildContext) -> Tags {
    Tags::from([(DEADLINE.to_owned(), context.clock.timestamp_after(context.lifetime))])
}

/// Tags of the lease: whom others wait for. Its deadline is its own.
pub(super) fn lease(context: &BuildContext, owner: Option<&str>) -> Tags {
    let mut tags = Tags::from(marks(context));
    let mut holder = format!("{} of run {}", context.build, context.run_id);
    if let Some(owner) = owner {
        holder += &format!(" by {owner}");
        tags.insert(OWNER.to_owned(), owner.to_owned());
    }
    tags.insert(HOLDER.to_owned(), sanitized(&holder));
    tags
}

/// Tags of the instance's volumes.
pub(super) fn volume(context: &BuildContext, owner: Option<&str>, template: &Tags) -> Tags {
    let mut tags = temporary(context, owner, template);
    if !template.contains_key("Name") {
        tags.remove("Name");
    }
    tags
}

/// Tags of what stays: without hash it is a half-made image of the run. It has no deadline, so
/// that nobody takes a finished image for something that is due.
pub(super) fn lasting(context: &BuildContext, template: Tags) -> Tags {
    let mut tags = template;
    tags.extend(marks(context));
    tags
}

fn marks(context: &BuildContext) -> [(String, String); 2] {
    [(RUN_ID.to_owned(), context.run_id.clone()), (BUILD.to_owned(), sanitized(&context.build))]
}

/// EC2 takes letters, digits, space and `+ - = . _ : / @` everywhere.
fn sanitized(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_alphanumeric() || "+-=._:/@ ".contains(c) { c } else { '-' })
        .take(256)
        .collect()
}
