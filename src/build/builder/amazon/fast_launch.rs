//! Faster launches of Windows images.

use std::collections::BTreeSet;

use crate::plan::Planner;

crate::options! {
    /// Faster launches of Windows images.
    pub struct FastLaunchOptions {
        /// Turns it on.
        unhashed enable_fast_launch: bool = false,
        /// Launch template by id.
        unhashed template_id: Option<String>,
        /// Launch template by name.
        unhashed template_name: Option<String>,
        /// Version of the launch template.
        unhashed template_version: Option<i64>,
        /// Launches at the same time.
        unhashed max_parallel_launches: Option<i64>,
        /// Prepared snapshots.
        unhashed target_resource_count: Option<i64>,
        /// Launch templates by region.
        unhashed region_launch_templates: Vec<FastLaunchTemplate>,
    }
}

crate::options! {
    /// A launch template of a region.
    pub struct FastLaunchTemplate {
        /// The region.
        unhashed region: String,
        /// Turns it on.
        unhashed enable_fast_launch: Option<bool>,
        /// Launch template by id.
        unhashed template_id: Option<String>,
        /// Launch template by name.
        unhashed template_name: Option<String>,
        /// Version of the launch template.
        unhashed template_version: Option<i64>,
    }
}

impl FastLaunchOptions {
    /// Reports what is wrong with it. `regions` are those in which there will be an image, as far
    /// as they are known.
    pub fn check(&self, regions: &[&str], planner: &mut Planner<'_>) {
        let at = |name: &str| format!("fast_launch.0.{name}");
        let template = Template {
            id: self.template_id.as_deref(),
            name: self.template_name.as_deref(),
            version: self.template_version,
        };
        template.check("fast_launch.0", planner);
        if self.max_parallel_launches.is_some_and(|count| count < 6) {
            planner.wrong(
                &at("max_parallel_launches"),
                "`max_parallel_launches` must be at least 6",
                "",
            );
        }
        if self.target_resource_count.is_some_and(|count| count < 1) {
            planner.wrong(
                &at("target_resource_count"),
                "`target_resource_count` must be at least 1",
                "",
            );
        }
        let mut seen = BTreeSet::new();
        for (index, one) in self.region_launch_templates.iter().enumerate() {
            let path = format!("fast_launch.0.region_launch_templates.{index}");
            let region = one.region.as_str();
            let place = format!("{path}.region");
            if !seen.insert(region) {
                planner.wrong(&place, format!("`{region}` has a launch template already"), "");
            }
            if !regions.is_empty() && !regions.contains(&region) && !planner.is_late(&place) {
                let text = format!("there will be no image in `{region}`");
                planner.wrong(&place, text, "add it to `ami_regions`");
            }
            let template = Template {
                id: one.template_id.as_deref(),
                name: one.template_name.as_deref(),
                version: one.template_version,
            };
            template.check(&path, planner);
        }
    }
}

/// A launch template, by id or by name.
struct Template<'a> {
    id: Option<&'a str>,
    name: Option<&'a str>,
    version: Option<i64>,
}

impl Template<'_> {
    fn check(&self, path: &str, planner: &mut Planner<'_>) {
        let is_given = |text: Option<&str>| text.is_some_and(|text| !text.is_empty());
        let (id, name) = (is_given(self.id), is_given(self.name));
        if id && name {
            let text = "`template_id` and `template_name` exclude each other";
            planner.wrong(&format!("{path}.template_name"), text, "give one of them");
        }
        // Packer's 0 is the template's default version.
        let Some(version) = self.version.filter(|version| *version != 0) else { return };
        let place = format!("{path}.template_version");
        if version < 1 {
            planner.wrong(&place, "versions start at 1", "");
        }
        if !id && !name {
            let text = "`template_version` needs `template_id` or `template_name`";
            planner.wrong(&place, text, "");
        }
    }
}
