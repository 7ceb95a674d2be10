//! Which image to launch from.

use serde_json::{Value as Json, json};

use super::settings::SourceSettings;
use crate::aws::{Client, Image, ImageQuery, NoImage};
use crate::build::{BuildContext, BuildError, ResolvedSource};
use crate::event::Fact;
use crate::plan::lock::{Found, ImagePin, LOCK_FILE, Pin, Pinned, Pins, SOURCE_IMAGE};

/// What an id begins with that is the name of an SSM parameter.
const PARAMETER: &str = "resolve:ssm:";

impl SourceSettings {
    /// What is asked, as a lock has it; `None` for an id that is given outright, which needs no pin.
    pub fn asked(&self) -> Option<Json> {
        let id = self.id.as_deref();
        if id.is_some_and(|id| !id.starts_with(PARAMETER)) {
            return None;
        }
        let mut asked = json!({ "type": SOURCE_IMAGE });
        if let Some(id) = id {
            asked["id"] = json!(id);
        }
        if let Some(filter) = &self.filter {
            let filters: Vec<_> = filter
                .filters
                .iter()
                .map(|one| json!({ (one.name.clone()): one.values }))
                .collect();
            asked["filters"] = json!(filters);
            asked["owners"] = json!(filter.owners);
            asked["most_recent"] = json!(filter.most_recent);
            asked["include_deprecated"] = json!(filter.include_deprecated);
        }
        Some(asked)
    }

    /// The option that says it.
    pub(in crate::build) fn option(&self) -> &'static str {
        if self.filter.is_some() { "source_ami_filter" } else { "source_ami" }
    }
}

/// A source image with the pin that it was taken by.
#[derive(Clone, Debug)]
pub(in crate::build) struct FoundSource {
    /// It.
    pub(in crate::build) source: ResolvedSource,
    /// The pin.
    pub(in crate::build) pin: Option<Pin>,
    /// What to say where there is a lock and no pin in it.
    pub(in crate::build) notice: Option<String>,
}

/// Finds the source image of a build that is under way.
pub(super) async fn resolve(
    client: &Client,
    settings: &SourceSettings,
    context: &BuildContext,
) -> Result<ResolvedSource, BuildError> {
    let found = find(client, settings, &context.build, &context.pins).await?;
    if let Some(text) = found.notice {
        context.events.emit(Fact::Warning { text }).await;
    }
    Ok(found.source)
}

/// Finds the source image of `build`: the pinned one, or the one image that the settings mean.
pub(in crate::build) async fn find(
    client: &Client,
    settings: &SourceSettings,
    build: &str,
    pins: &Pins,
) -> Result<FoundSource, BuildError> {
    let mut notice = None;
    if let Some(asked) = settings.asked() {
        let found = pins.find(build, Some(&pins.place(client.region())), &asked);
        if let Found::Pin(pin @ Pin { answer: Pinned::Image(image), .. }) = found {
            let source = pinned(client, settings, build, image).await?;
            return Ok(FoundSource { source, pin: Some(pin.clone()), notice });
        }
        may_be_looked_for(settings, pins, found, client.region())?;
        notice = pins.exist().then(|| unpinned(build, found));
    }
    let source = search(client, settings).await?;
    Ok(FoundSource { source, pin: None, notice })
}

/// Whether a source image may be looked for without a pin.
pub(in crate::build) fn may_be_looked_for(
    settings: &SourceSettings,
    pins: &Pins,
    found: Found<'_>,
    region: &str,
) -> Result<(), BuildError> {
    if !pins.are_strict() || matches!(found, Found::Pin(_)) {
        return Ok(());
    }
    let place = pins.place(region);
    let message = match found {
        Found::Stale(_) => {
            format!("{LOCK_FILE} has a source image for {place}, but something else was asked then")
        }
        Found::Pin(_) | Found::Nothing => format!("{LOCK_FILE} has no source image for {place}"),
    };
    Err(BuildError::option(settings.option(), message)
        .hint("`bake lock` looks for one and pins it; -locked looks for none"))
}

fn unpinned(build: &str, found: Found<'_>) -> String {
    match found {
        Found::Stale(_) => format!(
            "the source image in {LOCK_FILE} is for another question: looking for one now \
             (`bake lock` pins it)"
        ),
        Found::Pin(_) | Found::Nothing => format!(
            "{LOCK_FILE} has no source image for `{build}` here: looking for one now (`bake lock` \
             pins it)"
        ),
    }
}

/// The image of a pin, as long as it is there.
async fn pinned(
    client: &Client,
    settings: &SourceSettings,
    build: &str,
    pin: &ImagePin,
) -> Result<ResolvedSource, BuildError> {
    match client.image(&pin.id).await? {
        Some(image) => usable(client, settings, image),
        None => Err(BuildError::option(
            settings.option(),
            format!(
                "the source image {} ({}) that {LOCK_FILE} has is not in {} any more",
                pin.id,
                pin.name,
                client.region()
            ),
        )
        .hint(format!("`bake lock -update '{build}'` looks for another one"))),
    }
}

/// The one image that the settings mean.
async fn search(client: &Client, settings: &SourceSettings) -> Result<ResolvedSource, BuildError> {
    let mut query = ImageQuery { include_deprecated: true, ..ImageQuery::default() };
    if let Some(id) = &settings.id {
        query.ids = vec![match id.strip_prefix(PARAMETER) {
            Some(parameter) => parameter_value(client, parameter).await?,
            None => id.clone(),
        }];
    }
    let mut most_recent = false;
    if let Some(filter) = &settings.filter {
        query.filters.clone_from(&filter.filters);
        query.owners.clone_from(&filter.owners);
        query.include_deprecated = filter.include_deprecated;
        most_recent = filter.most_recent;
    }
    let image = match client.find_image(&query, most_recent).await {
        Ok(image) => image,
        Err(NoImage::Aws(error)) if error.is_code(&["InvalidAMIID.Malformed"]) => {
            return Err(BuildError::option("source_ami", error.message.clone()));
        }
        Err(NoImage::Aws(error)) => return Err(error.into()),
        Err(NoImage::Nothing { .. }) if settings.filter.is_none() => {
            return Err(no_such(client, &query));
        }
        Err(NoImage::Nothing { message, hints } | NoImage::Several { message, hints }) => {
            let error = BuildError::option(settings.option(), message);
            return Err(hints.into_iter().fold(error, |error, hint| error.hint(hint)));
        }
    };
    usable(client, settings, image)
}

/// The image, if an instance can be launched from it.
fn usable(
    client: &Client,
    settings: &SourceSettings,
    image: Image,
) -> Result<ResolvedSource, BuildError> {
    let option = settings.option();
    if !matches!(image.root_device_type.as_str(), "ebs" | "") {
        return Err(BuildError::option(
            option,
            format!(
                "the root device of {} is `{}`, and `amazon-ebs` needs `ebs`",
                image.id, image.root_device_type
            ),
        )
        .hint("add the filter `root-device-type = \"ebs\"`"));
    }
    if !matches!(image.state.as_str(), "available" | "") {
        return Err(BuildError::option(option, format!("{} is `{}`", image.id, image.state)));
    }
    Ok(ResolvedSource { region: client.region().to_owned(), image })
}

async fn parameter_value(client: &Client, name: &str) -> Result<String, BuildError> {
    let value = client.parameter(name).await.map_err(|error| {
        if error.is_not_found() {
            BuildError::option("source_ami", format!("there is no SSM parameter `{name}`"))
                .hint(format!("public parameters are per region: is it in `{}`?", client.region()))
        } else {
            error.into()
        }
    })?;
    let value = value.trim();
    // Some public parameters hold JSON with the id in it.
    let id = serde_json::from_str::<serde_json::Value>(value)
        .ok()
        .and_then(|json| json.get("image_id")?.as_str().map(ToOwned::to_owned))
        .unwrap_or_else(|| value.to_owned());
    if id.starts_with("ami-") {
        Ok(id)
    } else {
        Err(BuildError::option(
            "source_ami",
            format!("the SSM parameter `{name}` holds `{id}`, which is no image id"),
        ))
    }
}

/// There is no image of an id that was given.
fn no_such(client: &Client, query: &ImageQuery) -> BuildError {
    let id = query.ids.first().map_or("", String::as_str);
    let message = format!("there is no image `{id}` in {}", client.region());
    BuildError::option("source_ami", message).hint(
        "image ids differ between regions, and private images must be shared with the account",
    )
}
