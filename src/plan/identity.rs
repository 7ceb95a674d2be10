//! Hashes of a plan. `docs/hash.md` is the specification.

use serde_json::{Map, Value as Json, json};
use sha2::{Digest as _, Sha256};

use super::{Digest, Entry, Plan, Planned, Tree, canonical_json};

/// Version of the scheme; part of every hash. It changes when the same inputs would give
/// another hash, and never for another reason.
pub const SCHEME: u32 = 1;

/// The hash of the recipe: the evaluated template before any look-up, and the bytes of its files.
pub fn template_hash(plan: &Plan) -> Digest {
    recipe_hash(&template_recipe(plan))
}

/// What the template hash is taken over.
pub fn template_recipe(plan: &Plan) -> Json {
    plan.known_recipe.as_deref().cloned().unwrap_or_else(|| recipe(plan, &[]))
}

/// The template hash of a recipe.
pub fn recipe_hash(recipe: &Json) -> Digest {
    domain_hash("template", recipe)
}

/// The hash that names an image: the recipe with the source image that was found in place of the
/// `selectors`, the builder's options by which it was looked for.
pub fn image_hash(plan: &Plan, selectors: &[&str], source_image: &Json) -> Digest {
    image_recipe_hash(&image_recipe(plan, selectors, source_image))
}

/// What the image hash is taken over.
pub fn image_recipe(plan: &Plan, selectors: &[&str], source_image: &Json) -> Json {
    let mut inputs = recipe(plan, selectors);
    if let Json::Object(inputs) = &mut inputs {
        inputs.insert("source_image".to_owned(), source_image.clone());
    }
    inputs
}

/// The image hash of what [`image_recipe`] gives.
pub fn image_recipe_hash(recipe: &Json) -> Digest {
    domain_hash("image", recipe)
}

fn domain_hash(domain: &str, inputs: &Json) -> Digest {
    let mut hasher = Sha256::new();
    hasher.update(format!("bake/{domain}/{SCHEME}\n"));
    hasher.update(canonical_json(inputs));
    Digest::from_hasher(hasher)
}

/// Everything hashed, as JSON that people can read and compare.
pub fn recipe(plan: &Plan, without: &[&str]) -> Json {
    let steps: Vec<_> = plan
        .steps
        .iter()
        .map(|step| component(&step.planned, &[]))
        .chain(plan.error_cleanup.iter().map(|step| {
            let mut form = component(&step.planned, &[]);
            if let Json::Object(form) = &mut form {
                form.insert("on_error".to_owned(), json!(true));
            }
            form
        }))
        .collect();
    json!({ "builder": component(&plan.builder, without), "steps": steps })
}

fn component(planned: &Planned, without: &[&str]) -> Json {
    let options: Map<_, _> = planned
        .hashed
        .iter()
        .filter(|(name, _)| !without.contains(&name.as_str()))
        .map(|(name, form)| (name.clone(), form.clone()))
        .collect();
    let trees: Map<_, _> =
        planned.trees.iter().map(|(name, tree)| (name.clone(), tree_form(tree))).collect();
    json!({ "type": planned.component.kind, "options": options, "files": trees })
}

/// A tree as JSON: of permissions only whether a file is executable counts, so that another umask
/// gives the same hash.
fn tree_form(tree: &Tree) -> Json {
    tree.entries
        .iter()
        .map(|(path, entry)| {
            let form = match entry {
                Entry::Directory { .. } => json!("directory"),
                Entry::Symlink { target } => json!({ "symlink": target }),
                Entry::File { mode, digest, .. } if mode & 0o111 != 0 => {
                    json!({ "executable": digest })
                }
                Entry::File { digest, .. } => json!({ "file": digest }),
            };
            (path.clone(), form)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of the specification: their domains, texts and hashes.
    fn vectors() -> Vec<(String, String, String)> {
        let page = include_str!("../../docs/hash.md");
        let (_, vectors) = page.split_once("## Test vectors").expect("vectors");
        let mut found = Vec::new();
        let mut lines = vectors.lines().map(str::trim);
        while let Some(line) = lines.next().filter(|line| !line.starts_with("## ")) {
            if line != "```json" {
                continue;
            }
            let text = lines.next().expect("a text");
            let said =
                lines.find(|line| line.starts_with('`') && line.contains(": ")).expect("a hash");
            let mut parts = said.split('`').filter(|part| !part.is_empty() && *part != ": ");
            let mut part = || parts.next().expect("domain and hash").to_owned();
            found.push((part(), text.to_owned(), part()));
        }
        found
    }

    #[test]
    fn the_specification_has_true_vectors() {
        let vectors = vectors();
        assert!(vectors.len() >= 6, "{}", vectors.len());
        for (domain, text, hash) in vectors {
            let recipe: Json = serde_json::from_str(&text).expect(&text);
            assert_eq!(canonical_json(&recipe), text);
            let computed = match domain.as_str() {
                "template" => recipe_hash(&recipe),
                "image" => image_recipe_hash(&recipe),
                other => panic!("the domain `{other}`"),
            };
            assert_eq!(computed.hex(), hash, "{text}");
        }
    }
}
