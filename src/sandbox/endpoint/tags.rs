//! Tags.

use super::call::{Answer, Call, done};
use super::xml::Fields;
use crate::sandbox::cloud::{CloudError, Tags};

/// `tagSet`, left out when there are none, as EC2 does.
pub(super) fn tag_set(fields: Fields, tags: &Tags) -> Fields {
    if tags.is_empty() {
        return fields;
    }
    let tag =
        |(key, value): (&String, &String)| Fields::new().text("key", key).text("value", value);
    fields.list("tagSet", tags.iter().map(tag))
}

pub(super) fn create_tags(call: &Call<'_>) -> Answer {
    let ids = call.params.texts("ResourceId")?;
    let tags = call.params.tags()?;
    call.request(|session| session.create_tags(&ids, &tags))?;
    done()
}

pub(super) fn delete_tags(call: &Call<'_>) -> Answer {
    let ids = call.params.texts("ResourceId")?;
    let mut tags = Vec::new();
    for tag in call.params.list("Tag")? {
        let key = tag.any("Key").ok_or_else(|| CloudError::missing("Tag.Key"))?;
        tags.push((key.to_owned(), tag.any("Value").map(str::to_owned)));
    }
    call.request(|session| session.delete_tags(&ids, &tags))?;
    done()
}

pub(super) fn describe_tags(call: &Call<'_>) -> Answer {
    let (filters, page) = (call.params.filters()?, call.params.page()?);
    let found = call.request(|session| session.describe_tags(&filters, &page))?;
    let tags = found.items.iter().map(|tag| {
        Fields::new()
            .text("resourceId", &tag.resource_id)
            .text("resourceType", tag.resource_type)
            .text("key", &tag.key)
            .text("value", &tag.value)
    });
    Ok(Fields::new().list("tagSet", tags).maybe("nextToken", found.next_token))
}
