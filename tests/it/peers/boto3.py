"""Launches an instance, makes an image of it and removes both, as programs with boto3 do."""

import time

import boto3
from botocore.exceptions import ClientError

ec2 = boto3.client("ec2")
ssm = boto3.client("ssm")


def wait(name, **what):
    started = time.monotonic()
    ec2.get_waiter(name).wait(**what, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    print(name, "after some time" if time.monotonic() - started > 0.9 else "at once")


parameter = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
source = ssm.get_parameter(Name=parameter)["Parameter"]["Value"]
wait("image_exists", ImageIds=[source])

launched = ec2.run_instances(ImageId=source, InstanceType="t3.micro", MinCount=1, MaxCount=1)
instance = launched["Instances"][0]["InstanceId"]
print("launched:", launched["Instances"][0]["State"]["Name"])
wait("instance_running", InstanceIds=[instance])

image = ec2.create_image(InstanceId=instance, Name="from-boto3", NoReboot=True)["ImageId"]
wait("image_available", ImageIds=[image])
print("image:", ec2.describe_images(Owners=["self"])["Images"][0]["Name"])

try:
    ec2.create_image(InstanceId=instance, Name="from-boto3", NoReboot=True)
except ClientError as error:
    print("the same name:", error.response["Error"]["Code"])

for number in range(12):
    ec2.create_tags(Resources=[instance], Tags=[{"Key": f"n{number:02}", "Value": str(number)}])
pages = ec2.get_paginator("describe_tags").paginate(
    Filters=[{"Name": "resource-id", "Values": [instance]}],
    PaginationConfig={"PageSize": 5},
)
sizes = [len(page["Tags"]) for page in pages]
print("pages of tags:", sizes)

pages = ec2.get_paginator("describe_images").paginate(
    Owners=["amazon"], PaginationConfig={"PageSize": 5}
)
ids = [image["ImageId"] for page in pages for image in page["Images"]]
whole = [image["ImageId"] for image in ec2.describe_images(Owners=["amazon"])["Images"]]
print("pages of images hold them all:", sorted(ids) == sorted(whole), len(ids) > 5)

ec2.terminate_instances(InstanceIds=[instance])
wait("instance_terminated", InstanceIds=[instance])
snapshots = [
    mapping["Ebs"]["SnapshotId"]
    for mapping in ec2.describe_images(ImageIds=[image])["Images"][0]["BlockDeviceMappings"]
]
ec2.deregister_image(ImageId=image)
for snapshot in snapshots:
    ec2.delete_snapshot(SnapshotId=snapshot)
print("own images:", len(ec2.describe_images(Owners=["self"])["Images"]))
