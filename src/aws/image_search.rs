//! The one image that a filter means.

use std::collections::BTreeMap;

use super::{AwsError, Client, Filter, Image, ImageQuery};

crate::options! {
    /// A filter of EC2: a name and values.
    pub struct NameValue {
        /// The filter's name.
        hashed name: String,
        /// The value; several are separated by commas.
        hashed value: String,
    }
}

crate::options! {
    /// Looks for an image.
    pub struct SourceFilterOptions {
        /// Filters by name.
        hashed filters: BTreeMap<String, String>,
        /// Filters as blocks.
        hashed filter: Vec<NameValue>,
        /// Accounts, or `self`, `amazon`, `aws-marketplace`.
        hashed owners: Vec<String>,
        /// Takes the newest of several images.
        hashed most_recent: bool = false,
        /// Also looks at deprecated images.
        hashed include_deprecated: bool = false,
    }
}

/// Filters as EC2 takes them. Each value is a list with commas in between, as Packer reads it:
/// quotes keep a comma, blanks before an element go.
pub fn filters(map: &BTreeMap<String, String>, blocks: &[NameValue]) -> Vec<Filter> {
    let pairs = map.iter().chain(blocks.iter().map(|block| (&block.name, &block.value)));
    pairs.map(|(name, value)| Filter { name: name.clone(), values: values(value) }).collect()
}

fn values(text: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut quoted = false;
    for character in text.chars() {
        let Some(last) = all.last_mut() else { break };
        match character {
            '"' => quoted = !quoted,
            ',' if !quoted => all.push(String::new()),
            ' ' | '\t' if last.is_empty() && !quoted => {}
            other => last.push(other),
        }
    }
    all
}

/// Why no image was found.
#[derive(Debug)]
pub enum NoImage {
    /// The call failed.
    Aws(AwsError),
    /// Nothing matches.
    Nothing {
        /// What happened, in a sentence.
        message: String,
        /// What to do about it.
        hints: Vec<String>,
    },
    /// More than one image matches, and the newest is not asked for.
    Several {
        /// What happened, in a sentence.
        message: String,
        /// What to do about it.
        hints: Vec<String>,
    },
}

impl Client {
    /// The image that matches `query`: the only one, or with `most_recent` the newest.
    ///
    /// # Errors
    /// See [`NoImage`].
    pub async fn find_image(
        &self,
        query: &ImageQuery,
        most_recent: bool,
    ) -> Result<Image, NoImage> {
        let mut images = match self.describe_images(query).await {
            Ok(images) => images,
            Err(error) if error.is_not_found() => Vec::new(),
            Err(error) => return Err(NoImage::Aws(error)),
        };
        // RFC 3339 with a fixed width, so text order is time order; the id breaks ties for good.
        images.sort_by(|a, b| (&b.creation_date, &b.id).cmp(&(&a.creation_date, &a.id)));
        if images.len() > 1 && !most_recent {
            return Err(several(&images));
        }
        images.into_iter().next().ok_or_else(|| nothing(query, self.region()))
    }
}

fn nothing(query: &ImageQuery, region: &str) -> NoImage {
    let said: Vec<_> = query
        .filters
        .iter()
        .map(|Filter { name, values }| format!("{name} = {}", values.join(",")))
        .chain((!query.owners.is_empty()).then(|| format!("owners = {}", query.owners.join(","))))
        .chain(query.ids.iter().map(|id| format!("id = {id}")))
        .collect();
    let mut hints = vec!["check the name pattern, the owners and the region".to_owned()];
    if !query.include_deprecated {
        hints.push("deprecated images are left out without `include_deprecated = true`".to_owned());
    }
    NoImage::Nothing { message: format!("no image in {region} matches {}", said.join(", ")), hints }
}

fn several(images: &[Image]) -> NoImage {
    let mut list: Vec<_> = images
        .iter()
        .take(3)
        .map(|image| format!("{} ({}, {})", image.id, image.name, image.creation_date))
        .collect();
    if images.len() > list.len() {
        list.push("…".to_owned());
    }
    NoImage::Several {
        message: format!("{} images match: {}", images.len(), list.join(", ")),
        hints: vec![
            "`most_recent = true` takes the newest; a narrower filter is the safer choice"
                .to_owned(),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_a_list_with_commas() {
        assert_eq!(values("al2023-ami-*"), ["al2023-ami-*"]);
        assert_eq!(values("a, b,c"), ["a", "b", "c"]);
        assert_eq!(values("\"a,b\",c d"), ["a,b", "c d"]);
    }
}
