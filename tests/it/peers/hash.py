"""The hashes of docs/hash.md, computed by what the page says and nothing else.

    hash.py vectors docs/hash.md     the test vectors: text and hash of each
    hash.py tree PATH                the TREE of a file or directory
    hash.py record RECORD PATH...    a record of `bake build`; the trees that its steps sent, in order

Prints what it has checked; ends with 1 and a reason when it comes to something else.
"""

import hashlib
import json
import os
import re
import sys
import tempfile


def canonical(value):
    """RFC 8785, for what recipes are made of."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return string(value)
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(string(name) + ":" + canonical(value[name]) for name in names) + "}"
    raise ValueError(f"no recipe has {value!r}")


def string(text):
    short = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
    escaped = (short.get(c) or (f"\\u{ord(c):04x}" if c < " " else c) for c in text)
    return '"' + "".join(escaped) + '"'


def hash_of(domain, recipe):
    text = f"bake/{domain}/1\n" + canonical(recipe)
    return hashlib.sha256(text.encode()).hexdigest()


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def tree(root):
    """The TREE of a file, or of a directory with everything below it."""
    entries = {}

    def inside(name, target):
        depth = name.count("/")
        if target.startswith("/"):
            return False
        for part in target.split("/"):
            if part == "..":
                depth -= 1
            elif part not in ("", "."):
                depth += 1
            if depth < 0:
                return False
        return True

    def add(path, name):
        # The root itself may be a link.
        if name and os.path.islink(path) and inside(name, os.readlink(path)):
            entries[name] = {"symlink": os.readlink(path)}
        elif os.path.isdir(path):
            entries[name] = "directory"
            for one in os.listdir(path):
                add(os.path.join(path, one), f"{name}/{one}" if name else one)
        else:
            executable = os.stat(path).st_mode & 0o111
            entries[name] = {"executable" if executable else "file": digest(path)}

    add(root, "")
    return entries


def component(kind, options=None, files=None, **more):
    return {"type": kind, "options": options or {}, "files": files or {}, **more}


def template(builder, *steps):
    return {"steps": list(steps), "builder": builder}


# By which amazon-ebs looks for its source image.
SELECTORS = ["source_ami", "source_ami_filter"]


def image_of(recipe, source_image):
    """What the image hash is taken over, from what the template hash is taken over."""
    builder = dict(recipe["builder"])
    kept = {name: one for name, one in builder["options"].items() if name not in SELECTORS}
    builder["options"] = kept
    return {**recipe, "builder": builder, "source_image": source_image}


def text_of(expression, **known):
    """TEXT: an expression without layout, and a line for each variable that may be told."""
    lines = [f"{name}={canonical(value)}" for name, value in sorted(known.items())]
    return "\n".join([expression, *lines])


def files_of_vector_5(directory):
    def write(name, text, mode):
        path = os.path.join(directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, mode)

    write("script", "#!/bin/sh\necho one\n", 0o644)
    write("sent/bin/run", "", 0o755)
    os.mkdir(os.path.join(directory, "sent/empty"))
    os.symlink("bin/run", os.path.join(directory, "sent/link"))
    return tree(os.path.join(directory, "script")), tree(os.path.join(directory, "sent"))


def vectors():
    """The recipes of the vectors, as their titles tell them: domain and recipe."""
    null = component("null")
    ebs = component("amazon-ebs", {
        "ssh_username": "admin",
        "source_ami": "ami-12345678",
        "launch_block_device_mappings": [
            {"volume_size": 8, "device_name": "/dev/xvda", "delete_on_termination": True},
        ],
        "instance_type": "t3.small",
    })
    third = template(ebs, component("shell", {"inline": ["set -e", 'echo "{{ .Vars }}" > /tmp/x']}))
    with tempfile.TemporaryDirectory() as directory:
        script, sent = files_of_vector_5(directory)
    late, secret = text_of('["echo ${build.ID}"]'), text_of('{"TOKEN"=var.token}')
    return [
        ("template", template(null)),
        ("image", template(null)),
        ("template", third),
        ("image", image_of(third, {"id": "ami-12345678", "architecture": "x86_64"})),
        ("template", template(
            null,
            component("shell", files={"script.0": script}),
            component("file", {"destination": "/opt/app"}, {"source.0/": sent}),
        )),
        ("template", template(
            null,
            component("shell", {"inline": {"late": late}, "env": {"sensitive": secret}}),
            component("shell", {"inline": ["journalctl"]}, on_error=True),
        )),
        ("template", template(null, component("shell", {
            "inline": ["line\nend\r"],
            "env": {"TAB": "a\tb", "QUOTE": '"\\', "BELL": "\a", "EURO": "€"},
        }))),
    ]


def same(what, ours, theirs):
    if ours != theirs:
        sys.exit(f"{what}:\n  by the page: {ours}\n  bake:        {theirs}")


def check_vectors(page):
    with open(page, encoding="utf-8") as file:
        _, text = file.read().split("## Test vectors", 1)
    pattern = r"```json\s*\n\s*(.*?)\n\s*```\s*\n\s*`(template|image)`: `([0-9a-f]{64})`"
    written = re.findall(pattern, text)
    ours = vectors()
    same("how many vectors there are", len(ours), len(written))
    for number, ((domain, recipe), (text, their_domain, their_hash)) in enumerate(zip(ours, written), 1):
        same(f"domain of vector {number}", domain, their_domain)
        same(f"text of vector {number}", canonical(recipe), text)
        same(f"hash of vector {number}", hash_of(domain, recipe), their_hash)
    print(f"{len(ours)} vectors")


def check_record(path, sent):
    with open(path, encoding="utf-8") as file:
        record = json.load(file)
    recipe, image = record["recipe"], record["image"]
    same("template hash", hash_of("template", recipe), record["template_hash"])
    same("image hash", hash_of("image", image), record["image_hash"])
    same("name of the record", record["image_hash"] + ".json", os.path.basename(path))
    same("image's recipe", canonical(image_of(recipe, image["source_image"])), canonical(image))
    trees = [one for step in recipe["steps"] for _, one in sorted(step["files"].items())]
    same("how many trees", len(sent), len(trees))
    for path, theirs in zip(sent, trees):
        same(f"tree of {path}", canonical(tree(path)), canonical(theirs))
    print(f"a record, {len(trees)} trees")


def main(command, path, *more):
    if command == "vectors":
        check_vectors(path)
    elif command == "tree":
        print(canonical(tree(path)))
    elif command == "record":
        check_record(path, more)
    else:
        sys.exit(__doc__)


main(*sys.argv[1:])
