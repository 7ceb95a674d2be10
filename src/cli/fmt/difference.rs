//! A unified diff of a text and its canonical layout.

use std::ops::Range;

/// Unchanged lines that are shown around changed ones.
const CONTEXT: usize = 3;

/// What changes from `old` to `new`, as `diff -u` shows it, or nothing.
///
/// Layout never adds, removes or moves a line, so that lines of the same number belong together
/// and nothing needs to be searched for. Lines that one of the texts has more are shown last.
pub(super) fn difference(name: &str, old: &str, new: &str) -> String {
    let before: Vec<_> = old.split_inclusive('\n').collect();
    let after: Vec<_> = new.split_inclusive('\n').collect();
    let lines = before.len().max(after.len());
    let changed: Vec<_> = (0..lines).filter(|line| before.get(*line) != after.get(*line)).collect();
    let mut text = String::new();
    // Changes with so few lines between them that the context would touch go together.
    for hunk in changed.chunk_by(|one, next| next - one <= 2 * CONTEXT + 1) {
        let (Some(first), Some(last)) = (hunk.first(), hunk.last()) else { continue };
        if text.is_empty() {
            text = format!("--- old/{name}\n+++ new/{name}\n");
        }
        let range = first.saturating_sub(CONTEXT)..(last + CONTEXT + 1).min(lines);
        write_hunk(&mut text, &before, &after, range);
    }
    text
}

fn write_hunk(text: &mut String, before: &[&str], after: &[&str], range: Range<usize>) {
    let part = |lines: &[&str]| {
        let start = range.start.min(lines.len());
        let length = range.end.min(lines.len()) - start;
        match length {
            0 => format!("{start},0"),
            1 => format!("{}", start + 1),
            _ => format!("{},{length}", start + 1),
        }
    };
    *text += &format!("@@ -{} +{} @@\n", part(before), part(after));
    let mut line = range.start;
    while line < range.end {
        let same = |line: usize| before.get(line) == after.get(line);
        let end = (line..range.end).find(|next| same(*next) != same(line)).unwrap_or(range.end);
        let run = |lines: &[&str]| -> Vec<String> {
            lines.iter().take(end).skip(line).map(|line| (*line).to_owned()).collect()
        };
        if same(line) {
            write_lines(text, ' ', &run(before));
        } else {
            write_lines(text, '-', &run(before));
            write_lines(text, '+', &run(after));
        }
        line = end;
    }
}

fn write_lines(text: &mut String, sign: char, lines: &[String]) {
    for line in lines {
        text.push(sign);
        *text += line;
        if !line.ends_with('\n') {
            *text += "\n\\ No newline at end of file\n";
        }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::difference;

    #[test]
    fn hunks_have_three_lines_around_them() {
        let old = "a=1\n1\n2\n3\n4\n5\n6\nb=1\n1\n2\n3\n4\n5\n6\n7\nc=1\nd=1\n";
        let new = old.replace('=', " = ");
        assert_snapshot!(difference("x.hcl", old, &new), @"
        --- old/x.hcl
        +++ new/x.hcl
        @@ -1,11 +1,11 @@
        -a=1
        +a = 1
         1
         2
         3
         4
         5
         6
        -b=1
        +b = 1
         1
         2
         3
        @@ -13,5 +13,5 @@
         5
         6
         7
        -c=1
        -d=1
        +c = 1
        +d = 1
        ");
    }

    #[test]
    fn a_missing_line_end_is_told() {
        assert_snapshot!(difference("x.hcl", "a=1", "a = 1"), @r"
        --- old/x.hcl
        +++ new/x.hcl
        @@ -1 +1 @@
        -a=1
        \ No newline at end of file
        +a = 1
        \ No newline at end of file
        ");
        assert_snapshot!(difference("x.hcl", "a=1  \n  ", "a = 1\n"), @r"
        --- old/x.hcl
        +++ new/x.hcl
        @@ -1,2 +1 @@
        -a=1  
        -  
        \ No newline at end of file
        +a = 1
        ");
    }

    #[test]
    fn equal_texts_have_no_difference() {
        assert_eq!(difference("x.hcl", "a = 1\n", "a = 1\n"), "");
        assert_eq!(difference("x.hcl", "", ""), "");
    }
}
