//! What can be wrong with the options before anything is asked of AWS.

use crate::build::builder::amazon::{BlockDeviceOptions, check_access, check_late};
use crate::plan::Planner;

use super::AmazonEbsOptions;

/// Plans a use of the builder: checks the options and names the files they use.
pub fn plan(planner: &mut Planner<'_>) {
    let schema = AmazonEbsOptions::schema();
    let Some(options) = planner.decode(schema, AmazonEbsOptions::decode_options) else { return };
    check_late(planner);
    check_access(&options.access, planner);
    options.source.check(planner);
    options.spot.check(planner);
    options.instance.check(&options.spot, &options.communicator, planner);
    options.image.check(&options.access, planner);
    options.communicator.check(planner);
    for (option, devices) in [
        ("launch_block_device_mappings", &options.launch_block_device_mappings),
        ("ami_block_device_mappings", &options.ami_block_device_mappings),
    ] {
        BlockDeviceOptions::check_all(option, devices, planner);
    }
    fast_launch(&options, planner);
}

fn fast_launch(options: &AmazonEbsOptions, planner: &mut Planner<'_>) {
    let Some(fast_launch) = &options.fast_launch else { return };
    planner.not_yet("fast_launch", "");
    let Some(region) = options.access.region.as_deref() else {
        // Anything may be the build's region.
        fast_launch.check(&[], planner);
        return;
    };
    let mut regions: Vec<_> = options.image.ami_regions.iter().map(String::as_str).collect();
    regions.push(region);
    let known = !planner.is_late("ami_regions") && !planner.is_late("region");
    fast_launch.check(if known { &regions } else { &[] }, planner);
}
