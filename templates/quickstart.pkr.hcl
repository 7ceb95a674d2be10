# A first image: `bake build --sandbox templates/quickstart.pkr.hcl`.
# The same file builds on AWS: leave out `--sandbox`.

packer {
  required_plugins {
    amazon = {
      source  = "github.com/hashicorp/amazon"
      version = ">= 1.3.0"
    }
  }
}

variable "greeting" {
  type        = string
  default     = "hello from bake"
  description = "What the image says at login."
}

locals {
  files = "${path.root}/quickstart/"
}

source "amazon-ebs" "quickstart" {
  instance_type = "t3.micro"
  ssh_username  = "admin"

  source_ami_filter {
    filters = {
      name                = "debian-12-amd64-*"
      virtualization-type = "hvm"
    }
    owners      = ["136693071363"]
    most_recent = true
  }

  # No `ami_name`: the image is called `quickstart-` and the first 12 digits of its hash.

  tags = {
    Name   = "quickstart"
    Source = "{{ .SourceAMIName }}"
  }
}

build {
  sources = ["source.amazon-ebs.quickstart"]

  provisioner "file" {
    source      = local.files
    destination = "/tmp/quickstart"
  }

  provisioner "shell" {
    environment_vars = ["GREETING=${var.greeting}"]
    inline = [
      "sudo install -D -m 0755 /tmp/quickstart/greet /usr/local/bin/greet",
      "echo \"$GREETING\" | sudo tee /etc/motd >/dev/null",
      "greet",
    ]
  }
}
