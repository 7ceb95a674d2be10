//! Locals and data sources, in the order in which they need each other.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::diagnostic::{Diagnostic, Diagnostics, Span, did_you_mean};
use crate::value::{Marks, Type, Value};

use super::origin::{Origin, Origins, own_text};
use super::text::Texts;
use super::variable::mark_leaves;
use crate::template::data_source::{self, DataSourceKind};
use crate::template::declaration::{Labelled, Local};
use crate::template::evaluate::{Reference, Scope, canonical, evaluate, references, with_values};
use crate::template::lookup::{Lookup, Lookups};
use crate::template::schema::{Resolve, UnknownField};
use crate::template::syntax::{Body, Expression};

/// What locals and data sources have come to.
#[derive(Default)]
pub(in crate::template) struct Values {
    /// Locals by name.
    pub(in crate::template) locals: BTreeMap<String, Value>,
    /// Data sources by type and name.
    pub(in crate::template) data: BTreeMap<String, BTreeMap<String, Value>>,
    /// Where those come from that depend on look-ups.
    pub(in crate::template) origins: Origins,
    /// Who waits for what.
    pub(in crate::template) waiting: Waiting,
}

/// Look-ups that have no answer, by the locals and data sources that ask.
#[derive(Debug, Default)]
pub(in crate::template) struct Waiting {
    pending: BTreeMap<String, Vec<Lookup>>,
    /// What each local and data source refers to.
    references: BTreeMap<String, Vec<Reference>>,
}

impl Waiting {
    /// Whether nothing was asked that has no answer.
    pub(in crate::template) fn is_empty(&self) -> bool {
        self.pending.values().all(Vec::is_empty)
    }

    /// The look-ups that have to be answered before all of `roots` are known.
    pub(in crate::template) fn needed_by(&self, roots: Vec<Reference>) -> Vec<Lookup> {
        let mut open = roots;
        let mut seen = BTreeSet::new();
        while let Some(reference) = open.pop() {
            for title in self.titles(&reference) {
                if seen.insert(title) {
                    open.extend(self.references.get(title).into_iter().flatten().cloned());
                }
            }
        }
        seen.into_iter().filter_map(|title| self.pending.get(title)).flatten().cloned().collect()
    }

    /// What a reference is about: `data` alone is about all data sources.
    fn titles(&self, reference: &Reference) -> Vec<&str> {
        let length = match reference.root.as_str() {
            "local" => 1,
            "data" => 2,
            _ => return Vec::new(),
        };
        let names = std::iter::once(&reference.root).chain(reference.path.iter().take(length));
        let path = names.map(String::as_str).collect::<Vec<_>>().join(".");
        if reference.path.len() >= length {
            let known = self.references.get_key_value(&path);
            return known.map(|(title, _)| title.as_str()).into_iter().collect();
        }
        let start = format!("{path}.");
        let all = self.references.keys().filter(|title| title.starts_with(&start));
        all.map(String::as_str).collect()
    }
}

/// What data sources are read with.
pub(in crate::template) struct Reader<'a> {
    /// The data sources that there are.
    pub(in crate::template) kinds: &'a [DataSourceKind],
    /// What is asked, and the answers.
    pub(in crate::template) lookups: &'a Lookups,
    /// Go templates in options.
    pub(in crate::template) texts: &'a Texts<'a>,
}

/// Evaluates everything once, each after what it needs; `scope` has what does not depend on them.
pub(in crate::template) fn values(
    locals: &[Local],
    data: &[Labelled],
    scope: &Scope<'_>,
    reader: &Reader<'_>,
    found: &mut Diagnostics,
) -> Values {
    let graph = Graph::of(locals, data, found);
    let mut values = Values::default();
    let order = graph.order();
    let cycles = graph.cycles(&order);
    cycles.iter().for_each(|cycle| found.push(graph.cycle(cycle)));
    let mut failed: BTreeSet<usize> = cycles.into_iter().flatten().collect();
    // What variables ask is theirs.
    let outside = reader.lookups.take();
    for at in order {
        let Some(vertex) = graph.vertices.get(at) else { continue };
        // What needs something that failed would only say so again.
        if failed.contains(&at)
            || vertex.broken
            || vertex.needs.iter().any(|one| failed.contains(one))
        {
            failed.insert(at);
            continue;
        }
        let scope = scope
            .child()
            .with("local", graph.locals(vertex, &values))
            .with("data", graph.data(vertex, &values));
        let evaluated = vertex.node.evaluate(&scope, reader, &mut values, found);
        let asked = reader.lookups.take();
        let Some(origin) = evaluated else {
            failed.insert(at);
            continue;
        };
        let title = vertex.node.title();
        let depends = |one: &usize| {
            let needed = graph.vertices.get(*one).map(|vertex| vertex.node.title());
            needed.is_some_and(|needed| values.origins.contains_key(&needed))
        };
        if asked.any || vertex.needs.iter().any(depends) {
            values.origins.insert(title.clone(), origin);
        }
        values.waiting.references.insert(title.clone(), vertex.node.references());
        values.waiting.pending.insert(title, asked.pending);
    }
    reader.lookups.put_back(outside);
    values
}

/// The `data` object.
pub(in crate::template) fn data_object(data: &BTreeMap<String, BTreeMap<String, Value>>) -> Value {
    Value::object(
        data.iter().map(|(kind, named)| (kind.clone(), Value::object(named.clone()))).collect(),
    )
}

#[derive(Clone, Copy)]
enum Node<'a> {
    Local(&'a Local),
    Data(&'a Labelled),
}

impl Node<'_> {
    /// How expressions name it.
    fn title(self) -> String {
        match self {
            Node::Local(local) => format!("local.{}", local.name.text),
            Node::Data(data) => format!("data.{}.{}", data.kind.text, data.name.text),
        }
    }

    fn span(self) -> Span {
        match self {
            Node::Local(local) => local.name.span.clone(),
            Node::Data(data) => data.header.clone(),
        }
    }

    fn references(self) -> Vec<Reference> {
        fn of_body(body: &Body, all: &mut Vec<Reference>) {
            let expressions = body.attributes.iter().map(|attribute| &attribute.expression);
            all.extend(expressions.flat_map(references));
            body.blocks.iter().for_each(|block| of_body(&block.body, all));
        }
        match self {
            Node::Local(local) => references(&local.expression),
            Node::Data(data) => {
                let mut all = Vec::new();
                of_body(&data.body, &mut all);
                all
            }
        }
    }

    /// Adds its value and says how that comes about; `None` after an error.
    fn evaluate(
        self,
        scope: &Scope<'_>,
        reader: &Reader<'_>,
        values: &mut Values,
        found: &mut Diagnostics,
    ) -> Option<Origin> {
        match self {
            Node::Local(local) => {
                let value = found.take(evaluate(&local.expression, scope))?;
                let marks = if local.sensitive { Marks::SENSITIVE } else { Marks::NONE };
                values.locals.insert(local.name.text.clone(), mark_leaves(value, marks));
                let text = own_text(&local.expression, &local.expression.span, reader.lookups);
                Some(Origin { text, references: references(&local.expression) })
            }
            Node::Data(data) => {
                let resolve = OfData { scope, texts: reader.texts };
                let outcome =
                    data_source::read(data, reader.kinds, &resolve, reader.lookups, found)?;
                let of_kind = values.data.entry(data.kind.text.clone()).or_default();
                of_kind.insert(data.name.text.clone(), outcome.value);
                Some(Origin { text: outcome.origin, references: outcome.references })
            }
        }
    }
}

/// Evaluates the options of a data source.
struct OfData<'a> {
    scope: &'a Scope<'a>,
    texts: &'a Texts<'a>,
}

impl Resolve for OfData<'_> {
    fn evaluate(&self, expression: &Expression) -> Result<Value, Diagnostics> {
        evaluate(expression, self.scope)
    }

    fn with_values(&self, diagnostic: Diagnostic, expression: &Expression) -> Diagnostic {
        with_values(diagnostic, &[expression], self.scope)
    }

    fn render(
        &self,
        text: &str,
        at: &Span,
        deferred: bool,
        diagnostics: &mut Diagnostics,
    ) -> Option<Value> {
        self.texts.render(text, at, deferred, diagnostics)
    }

    fn render_late(
        &self,
        text: &str,
        fields: &BTreeMap<String, Value>,
        unknown: UnknownField,
    ) -> Result<(String, Marks), String> {
        self.texts.render_late(text, fields, unknown)
    }

    /// Without the values that it uses: the graph knows them.
    fn canonical(&self, expression: &Expression, _: &Type) -> String {
        canonical(expression)
    }
}

struct Vertex<'a> {
    node: Node<'a>,
    /// Positions of what it refers to.
    needs: BTreeSet<usize>,
    /// Whether it refers to something that does not exist.
    broken: bool,
}

struct Graph<'a> {
    vertices: Vec<Vertex<'a>>,
}

impl<'a> Graph<'a> {
    fn of(locals: &'a [Local], data: &'a [Labelled], found: &mut Diagnostics) -> Self {
        let nodes: Vec<Node<'a>> =
            locals.iter().map(Node::Local).chain(data.iter().map(Node::Data)).collect();
        let titles: Vec<String> = nodes.iter().map(|node| node.title()).collect();
        let by_title: BTreeMap<&str, usize> =
            titles.iter().enumerate().map(|(at, title)| (title.as_str(), at)).collect();
        let vertices = nodes
            .into_iter()
            .map(|node| {
                let mut vertex = Vertex { node, needs: BTreeSet::new(), broken: false };
                for reference in node.references() {
                    match needed(&reference, &titles, &by_title) {
                        Ok(needed) => vertex.needs.extend(needed),
                        Err(finding) => {
                            found.push(*finding);
                            vertex.broken = true;
                        }
                    }
                }
                vertex
            })
            .collect();
        Self { vertices }
    }

    /// All positions, each after what it needs; those that need each other in any order.
    fn order(&self) -> Vec<usize> {
        let mut order = Vec::with_capacity(self.vertices.len());
        let mut entered = vec![false; self.vertices.len()];
        for start in 0..self.vertices.len() {
            // A list of its own instead of the stack: chains of locals may be long.
            let mut open: Vec<(usize, Vec<usize>)> = Vec::new();
            let mut next = Some(start);
            loop {
                if let Some(at) = next.take()
                    && let Some(entered @ false) = entered.get_mut(at)
                {
                    *entered = true;
                    open.push((at, self.needs(at).rev().collect()));
                }
                let Some((at, rest)) = open.last_mut() else { break };
                next = rest.pop();
                if next.is_none() {
                    order.push(*at);
                    open.pop();
                }
            }
        }
        order
    }

    fn needs(&self, at: usize) -> impl DoubleEndedIterator<Item = usize> {
        self.vertices.get(at).into_iter().flat_map(|vertex| vertex.needs.iter().copied())
    }

    /// Groups of positions that all need each other, directly or not: the strongly connected
    /// components, by Kosaraju's algorithm.
    fn groups(&self, order: &[usize]) -> Vec<BTreeSet<usize>> {
        let mut users = vec![Vec::new(); self.vertices.len()];
        for at in order {
            for needed in self.needs(*at) {
                if let Some(users) = users.get_mut(needed) {
                    users.push(*at);
                }
            }
        }
        let mut rest: BTreeSet<usize> = order.iter().copied().collect();
        let mut groups = Vec::new();
        for start in order.iter().rev() {
            let mut group = BTreeSet::new();
            let mut open = vec![*start];
            while let Some(at) = open.pop() {
                if rest.remove(&at) {
                    group.insert(at);
                    open.extend(users.get(at).into_iter().flatten());
                }
            }
            groups.push(group);
        }
        groups
    }

    /// Cycles that everything that needs itself is in at least one of.
    fn cycles(&self, order: &[usize]) -> Vec<Vec<usize>> {
        let mut cycles = Vec::new();
        for group in self.groups(order) {
            let mut told = BTreeSet::new();
            for start in &group {
                if self.needs(*start).any(|one| one == *start) {
                    cycles.push(vec![*start]);
                }
                if group.len() > 1 && !told.contains(start) {
                    let cycle = self.way_back(*start, &group);
                    told.extend(cycle.iter().copied());
                    cycles.push(cycle);
                }
            }
        }
        cycles.sort();
        cycles
    }

    /// The shortest way from `start` through others of its group back to it.
    fn way_back(&self, start: usize, group: &BTreeSet<usize>) -> Vec<usize> {
        let mut from = BTreeMap::new();
        let mut open = VecDeque::from([start]);
        while let Some(at) = open.pop_front() {
            if at != start && self.needs(at).any(|one| one == start) {
                let mut way = vec![at];
                while let Some(before) = way.last().and_then(|last| from.get(last)) {
                    way.push(*before);
                }
                way.reverse();
                return way;
            }
            for needed in self.needs(at) {
                if needed != start && group.contains(&needed) && !from.contains_key(&needed) {
                    from.insert(needed, at);
                    open.push_back(needed);
                }
            }
        }
        vec![start]
    }

    fn cycle(&self, cycle: &[usize]) -> Diagnostic {
        let nodes: Vec<_> =
            cycle.iter().filter_map(|at| self.vertices.get(*at)).map(|one| one.node).collect();
        let titles: Vec<_> =
            nodes.iter().chain(nodes.first()).map(|node| format!("`{}`", node.title())).collect();
        let what = if nodes.iter().all(|node| matches!(node, Node::Local(_))) {
            "locals"
        } else {
            "locals and data sources"
        };
        let mut finding =
            Diagnostic::error("cycle", format!("{what} need each other: {}", titles.join(" → ")));
        let mut spans = nodes.iter().map(|node| node.span());
        if let Some(first) = spans.next() {
            finding = finding.at(&first, "part of the cycle");
        }
        spans.fold(finding, |finding, span| finding.also(&span, "part of the cycle"))
    }

    fn locals(&self, vertex: &Vertex<'_>, values: &Values) -> Value {
        let mut all = BTreeMap::new();
        for needed in vertex.needs.iter().filter_map(|at| self.vertices.get(*at)) {
            if let Node::Local(local) = needed.node
                && let Some(value) = values.locals.get(&local.name.text)
            {
                all.insert(local.name.text.clone(), value.clone());
            }
        }
        Value::object(all)
    }

    fn data(&self, vertex: &Vertex<'_>, values: &Values) -> Value {
        let mut all: BTreeMap<String, BTreeMap<String, Value>> = BTreeMap::new();
        for needed in vertex.needs.iter().filter_map(|at| self.vertices.get(*at)) {
            if let Node::Data(data) = needed.node
                && let Some(of_kind) = values.data.get(&data.kind.text)
                && let Some(value) = of_kind.get(&data.name.text)
            {
                let named = all.entry(data.kind.text.clone()).or_default();
                named.insert(data.name.text.clone(), value.clone());
            }
        }
        data_object(&all)
    }
}

/// The positions of what a reference is about: one, or all that a shorter one may mean.
fn needed(
    reference: &Reference,
    titles: &[String],
    by_title: &BTreeMap<&str, usize>,
) -> Result<Vec<usize>, Box<Diagnostic>> {
    let names = match reference.root.as_str() {
        "local" => 1,
        "data" => 2,
        _ => return Ok(Vec::new()),
    };
    let path: Vec<&str> = std::iter::once(reference.root.as_str())
        .chain(reference.path.iter().take(names).map(String::as_str))
        .collect();
    let title = path.join(".");
    if path.len() <= names {
        let start = format!("{title}.");
        let all = titles.iter().enumerate().filter(|(_, one)| one.starts_with(&start));
        return Ok(all.map(|(at, _)| at).collect());
    }
    if let Some(at) = by_title.get(title.as_str()) {
        return Ok(vec![*at]);
    }
    let (code, what) = if names == 1 {
        ("unknown-local", "local")
    } else {
        ("unknown-data-source", "data source")
    };
    let start = format!("{}.", reference.root);
    let known = titles.iter().filter(|one| one.starts_with(&start)).map(String::as_str);
    let finding = Diagnostic::error(code, format!("unknown {what} `{title}`"))
        .at(&reference.span, "not declared");
    Err(Box::new(finding.maybe_help(did_you_mean(&title, known))))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use crate::diagnostic::{Source, Style, render};
    use crate::template::lookup::Answers;
    use crate::template::{Environment, Run, VariableInputs, load_hcl};

    fn environment(text: &str) -> (Arc<Environment>, String) {
        let source = Source::new("a.pkr.hcl", text);
        let loaded = load_hcl(&source, Path::new(".")).expect("a template");
        let run = Run {
            now: jiff::Timestamp::UNIX_EPOCH,
            directory: "/".into(),
            environment: Default::default(),
            random: || [7; 16],
            data_sources: crate::lookup::DATA_SOURCES,
            answers: Answers::default(),
        };
        let inputs = VariableInputs::default();
        let (environment, found) = Environment::as_far_as_possible(&loaded.template, &inputs, run);
        (environment, render(&found, Style::default()))
    }

    fn summaries(text: &str) -> Vec<String> {
        let (_, found) = environment(text);
        found.lines().filter(|line| line.starts_with("error")).map(str::to_owned).collect()
    }

    #[test]
    fn all_cycles_are_told_each_once() {
        let (environment, found) = environment(
            r#"
locals {
  a    = local.b
  b    = local.a
  uses = local.a
  self = local.self
  c    = data.null.d.output
  fine = "x"
}
data "null" "d" { input = local.c }
"#,
        );
        insta::assert_snapshot!(found, @r#"
        error[cycle]: locals need each other: `local.a` → `local.b` → `local.a`
         --> a.pkr.hcl:3:3
          |
        3 |   a    = local.b
          |   ^ part of the cycle
        4 |   b    = local.a
          |   - part of the cycle

        error[cycle]: locals need each other: `local.self` → `local.self`
         --> a.pkr.hcl:6:3
          |
        6 |   self = local.self
          |   ^^^^ part of the cycle

        error[cycle]: locals and data sources need each other: `local.c` → `data.null.d` → `local.c`
          --> a.pkr.hcl:7:3
           |
         7 |   c    = data.null.d.output
           |   ^ part of the cycle
        ...
        10 | data "null" "d" { input = local.c }
           | --------------- part of the cycle
        "#);
        let local = environment.roots.get("local").map(ToString::to_string);
        assert_eq!(local.as_deref(), Some("{ fine = \"x\" }"));
    }

    #[test]
    fn cycles_that_share_a_local() {
        let found = summaries(
            "locals {\n a = local.b\n b = \"${local.a}${local.c}\"\n c = local.b\n d = \"${local.d}${local.a}\"\n}\n",
        );
        insta::assert_snapshot!(found.join("\n"), @"
        error[cycle]: locals need each other: `local.a` → `local.b` → `local.a`
        error[cycle]: locals need each other: `local.c` → `local.b` → `local.c`
        error[cycle]: locals need each other: `local.d` → `local.d`
        ");
    }

    #[test]
    fn the_shortest_cycle_is_told() {
        let found = summaries(
            "locals {\n a = [local.b, local.c]\n b = local.c\n c = local.d\n d = local.a\n}\n",
        );
        insta::assert_snapshot!(found.join("\n"), @"
        error[cycle]: locals need each other: `local.a` → `local.c` → `local.d` → `local.a`
        error[cycle]: locals need each other: `local.b` → `local.c` → `local.d` → `local.a` → `local.b`
        ");
    }

    #[test]
    fn a_long_chain_is_no_cycle() {
        let links: String = (0..3000).map(|at| format!("  a{at} = local.a{}\n", at + 1)).collect();
        assert_eq!(summaries(&format!("locals {{\n{links}  a3000 = 1\n}}\n")), [""; 0]);
    }
}
