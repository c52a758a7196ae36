//! Many patterns at once.
//!
//! They form one tree, a node for each segment, and a question goes through it with the set of nodes that its path has
//! come to. So what patterns begin with in common is compared once, and no part of a path twice.

use std::collections::HashMap;

use super::Cover;
use crate::language::Access;
use crate::pattern::{NamePattern, PathGlob, Segment};

/// The root of the tree.
const ROOT: usize = 0;

/// Patterns, and the numbers of the rules that they belong to.
#[derive(Debug, Clone, Default)]
pub(super) struct Globs {
    nodes: Vec<Node>,
}

#[derive(Debug, Clone, Default)]
struct Node {
    literals: HashMap<String, usize>,
    names: Names,
    /// Where a `**` leads that stands here.
    deep: Option<usize>,
    /// It stands for a `**`: any further segment stays here.
    stays: bool,
    /// Rules that end here.
    ends: Cover,
    /// Rules that go on from here.
    leads: Cover,
}

/// Patterns for one name and where each leads, found by what a name ends or starts with: of a thousand like `*.md` one is
/// compared.
#[derive(Debug, Clone, Default)]
struct Names {
    by_end: Pieces,
    by_start: Pieces,
    others: Vec<(NamePattern, usize)>,
}

/// Patterns by a fixed piece of text, and the lengths that such pieces have.
#[derive(Debug, Clone, Default)]
struct Pieces {
    lengths: Vec<usize>,
    patterns: HashMap<String, Vec<(NamePattern, usize)>>,
}

impl Pieces {
    fn list(&mut self, piece: &str) -> &mut Vec<(NamePattern, usize)> {
        if !self.lengths.contains(&piece.len()) {
            self.lengths.push(piece.len());
        }
        self.patterns.entry(piece.to_owned()).or_default()
    }

    /// Returns the patterns of all pieces that `cut` makes of a name.
    fn find<'p>(
        &'p self,
        cut: impl Fn(usize) -> Option<&'p str>,
    ) -> impl Iterator<Item = &'p (NamePattern, usize)> {
        let pieces = self.lengths.iter().filter_map(move |length| cut(*length));
        pieces
            .filter_map(|piece| self.patterns.get(piece))
            .flatten()
    }
}

impl Names {
    /// Returns where a pattern leads: to `new` if it is not known yet.
    fn add(&mut self, pattern: &NamePattern, new: usize) -> usize {
        let list = if !pattern.last().is_empty() {
            self.by_end.list(pattern.last())
        } else if !pattern.first().is_empty() {
            self.by_start.list(pattern.first())
        } else {
            &mut self.others
        };
        if let Some((_, next)) = list.iter().find(|(own, _)| own == pattern) {
            return *next;
        }
        list.push((pattern.clone(), new));
        new
    }

    fn find<'p>(&'p self, name: &'p str, mut enter: impl FnMut(usize)) {
        let ends = self
            .by_end
            .find(|length| name.get(name.len().checked_sub(length)?..));
        let starts = self.by_start.find(|length| name.get(..length));
        for (pattern, index) in ends.chain(starts).chain(&self.others) {
            if pattern.matches(name) {
                enter(*index);
            }
        }
    }
}

/// What is known about one path.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Found {
    /// Rules that match the path.
    pub(super) at: Cover,
    /// Rules that match the path or a directory above it.
    pub(super) at_or_above: Cover,
    /// Rules that could match something below the path.
    pub(super) below: Cover,
}

impl Globs {
    /// Adds a pattern of an allow list. What it could match is said of directories from its base on.
    pub(super) fn add(&mut self, glob: &PathGlob, access: Access, rule: usize) {
        let (top, below) = glob.split();
        let base = glob.base().components().count();
        let end = self.grow(top, access, rule, base);
        if !below {
            self.end(end, access, rule);
            return;
        }
        // Everything below: at least one more name.
        self.lead(end, access, rule);
        let deep = self.step(end, &Segment::Deep);
        self.lead(deep, access, rule);
        let end = self.step(deep, &Segment::Name(NamePattern::any()));
        self.end(end, access, rule);
        // What is below something that matches matches.
        self.lead(end, access, rule);
    }

    /// Adds a pattern of a deny list, where a final `/**` stands for the directory as well.
    pub(super) fn add_denied(&mut self, glob: &PathGlob, access: Access, rule: usize) {
        let (top, _) = glob.split();
        let end = self.grow(top, access, rule, 0);
        self.end(end, access, rule);
    }

    fn grow(&mut self, segments: &[Segment], access: Access, rule: usize, from: usize) -> usize {
        if self.nodes.is_empty() {
            self.nodes.push(Node::default());
        }
        let mut node = ROOT;
        for (depth, segment) in segments.iter().enumerate() {
            if depth >= from {
                self.lead(node, access, rule);
            }
            node = self.step(node, segment);
        }
        node
    }

    fn end(&mut self, node: usize, access: Access, rule: usize) {
        if let Some(node) = self.nodes.get_mut(node) {
            node.ends.add(access, rule);
        }
    }

    fn lead(&mut self, node: usize, access: Access, rule: usize) {
        if let Some(node) = self.nodes.get_mut(node) {
            node.leads.add(access, rule);
        }
    }

    /// Returns the node after a segment, a new one if there is none.
    fn step(&mut self, from: usize, segment: &Segment) -> usize {
        let new = self.nodes.len();
        let Some(node) = self.nodes.get_mut(from) else {
            return from;
        };
        let next = match segment {
            Segment::Deep => *node.deep.get_or_insert(new),
            Segment::Literal(name) => *node.literals.entry(name.clone()).or_insert(new),
            Segment::Name(pattern) => node.names.add(pattern, new),
        };
        if next == new {
            self.nodes.push(Node {
                stays: *segment == Segment::Deep,
                ..Node::default()
            });
        }
        next
    }

    /// Compares a path with all patterns.
    pub(super) fn find(&self, path: &str) -> Found {
        let mut found = Found::default();
        if self.nodes.is_empty() {
            return found;
        }
        let mut here = Vec::new();
        let mut next = Vec::new();
        self.enter(ROOT, &mut here);
        for name in path.split('/').filter(|name| !name.is_empty()) {
            next.clear();
            for node in here.iter().filter_map(|index| self.nodes.get(*index)) {
                if let Some(index) = node.literals.get(name) {
                    self.enter(*index, &mut next);
                }
                node.names.find(name, |index| self.enter(index, &mut next));
            }
            for index in &here {
                if self.nodes.get(*index).is_some_and(|node| node.stays) {
                    self.enter(*index, &mut next);
                }
            }
            // A `**` can be come to in more than one way.
            next.sort_unstable();
            next.dedup();
            std::mem::swap(&mut here, &mut next);
            if here.is_empty() {
                found.at = Cover::default();
                return found;
            }
            found.at = self.of(&here, |node| node.ends);
            found.at_or_above = found.at_or_above.or(found.at);
        }
        found.below = self.of(&here, |node| node.leads);
        found
    }

    /// Adds a node, and what a `**` that stands there leads to without a further segment.
    fn enter(&self, index: usize, nodes: &mut Vec<usize>) {
        let mut next = Some(index);
        while let Some(index) = next {
            nodes.push(index);
            next = self.nodes.get(index).and_then(|node| node.deep);
        }
    }

    fn of(&self, nodes: &[usize], cover: impl Fn(&Node) -> Cover) -> Cover {
        let nodes = nodes.iter().filter_map(|index| self.nodes.get(*index));
        nodes.fold(Cover::default(), |all, node| all.or(cover(node)))
    }
}
