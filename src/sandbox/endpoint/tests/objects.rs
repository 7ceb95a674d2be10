//! Objects, by bake's own client.

use hyper::body::Bytes;

use super::*;
use crate::aws::{Access, Bucket, OwnCloud, S3Prefix};
use crate::template::schema::Secret;

async fn bucket(world: &World, place: &str) -> Bucket {
    let cloud =
        OwnCloud { url: world.sandbox.endpoint_url(), access_key: Secret::new("AKIDEXAMPLE") };
    let client = crate::aws::Client::connect(&Access::default().in_own(&cloud)).await.unwrap();
    let place: S3Prefix = place.parse().unwrap();
    Bucket::at(&client, &place).unwrap()
}

async fn with_faults(faults: &[&str]) -> World {
    let faults = faults.iter().map(|rule| rule.parse().unwrap()).collect();
    World::with(Options { faults, ..Options::default() }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_there_is_not_written_again() {
    let world = World::new().await;
    let bucket = bucket(&world, "s3://records/of/images").await;
    let (first, second) = (Bytes::from_static(b"{\"n\":1}"), Bytes::from_static(b"{\"n\":2}"));
    assert_eq!(bucket.read("a.json", 100).await.unwrap(), None);
    assert!(bucket.put_new("a.json", &first).await.unwrap());
    assert!(!bucket.put_new("a.json", &second).await.unwrap());
    assert_eq!(bucket.read("a.json", 7).await.unwrap().as_deref(), Some(&first[..]));
    let error = bucket.read("a.json", 6).await.unwrap_err();
    assert_eq!(error.message, "it has more than 6 bytes");
    bucket.delete("a.json").await.unwrap();
    assert!(bucket.put_new("a.json", &second).await.unwrap());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_passes_is_tried_again() {
    let conflict = "PutObject:1:error=ConditionalRequestConflict";
    let world = with_faults(&[conflict, "GetObject:1:drop", "GetObject:#2:cut"]).await;
    let bucket = bucket(&world, "s3://records").await;
    let bytes = Bytes::from(vec![b'x'; 100_000]);
    assert!(bucket.put_new("a.json", &bytes).await.unwrap());
    assert_eq!(bucket.read("a.json", 100_000).await.unwrap().as_deref(), Some(&bytes[..]));
    assert_eq!(world.sandbox.calls()["GetObject"], 3);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_is_told() {
    let denied = "error=AccessDenied/Access Denied";
    let world = with_faults(&[&format!("*Object:*:{denied}")]).await;
    let bucket = bucket(&world, "s3://records/of").await;
    let put = bucket.put_new("a.json", &Bytes::new()).await.unwrap_err();
    assert_eq!(put.hints(), ["allow the IAM action `s3:PutObject` to these credentials"]);
    let read = bucket.read("a.json", 1).await.unwrap_err();
    assert_eq!(
        (read.status, read.resource.as_deref()),
        (Some(403), Some("s3://records/of/a.json"))
    );
    world.end().await;
}
