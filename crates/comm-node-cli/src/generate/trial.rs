//! A template tried in all its branches at once, whatever the node is like, so that a slip in one that is hardly ever taken is
//! found the first time. What asks for a branch is put on its head for it: `{{#if}}` and `{{#unless}}` render both of theirs, and
//! what stands behind `{{else}}` of any other block follows that block.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Result, bail};
use comm_node_core::text::one_line;
use handlebars::template::{Template, TemplateElement};
use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, Output, RenderContext, Renderable as _,
};

use super::engine::known;

/// Renders both branches of a block.
pub(super) struct Both;

impl HelperDef for Both {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        registry: &'reg Handlebars<'reg>,
        context: &'rc Context,
        render: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        known(helper)?;
        for part in [helper.template(), helper.inverse()].into_iter().flatten() {
            part.render(registry, context, render, out)?;
        }
        Ok(())
    }
}

/// Puts what stands behind `{{else}}` behind the whole block.
pub(super) fn unfold(template: &mut Template) {
    let mut at = 0;
    while at < template.elements.len() {
        let mut behind = None;
        if let TemplateElement::HelperBlock(block) = &mut template.elements[at] {
            block.template.iter_mut().for_each(unfold);
            match block.name.as_name() {
                Some("if" | "unless") => block.inverse.iter_mut().for_each(unfold),
                _ => behind = block.inverse.take(),
            }
        }
        at += 1;
        // They are walked through next.
        if let Some(behind) = behind {
            let places = behind.mapping.len() == behind.elements.len()
                && template.mapping.len() == template.elements.len();
            if places {
                template.mapping.splice(at..at, behind.mapping);
            }
            template.elements.splice(at..at, behind.elements);
        }
    }
}

/// Refuses templates that include each other in a circle: nothing would end them.
pub(super) fn no_circle(all: &HashMap<String, Template>) -> Result<()> {
    let mut left: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, template) in all {
        let mut parts = Vec::new();
        partials(template, &mut parts);
        parts.retain(|part| all.contains_key(*part));
        left.insert(name, parts);
    }
    // What includes nothing that is left ends.
    loop {
        let ends = |parts: &Vec<&str>| !parts.iter().any(|part| left.contains_key(part));
        let done: Vec<&str> = left.iter().filter(|(_, parts)| ends(parts)).map(|(name, _)| *name).collect();
        if done.is_empty() {
            break;
        }
        left.retain(|name, _| !done.contains(name));
    }
    if left.is_empty() {
        return Ok(());
    }
    let names = left.into_keys().collect::<Vec<_>>().join(", ");
    bail!(
        "could not use .comm-node/templates/: these include each other, without an end: {}",
        one_line(&names, 300)
    )
}

fn partials<'t>(template: &'t Template, out: &mut Vec<&'t str>) {
    for element in &template.elements {
        match element {
            TemplateElement::PartialExpression(part) | TemplateElement::PartialBlock(part) => {
                out.extend(part.name.as_name());
                part.template.iter().for_each(|inner| partials(inner, out));
            }
            TemplateElement::HelperBlock(block) => {
                block.template.iter().chain(&block.inverse).for_each(|inner| partials(inner, out));
            }
            TemplateElement::DecoratorBlock(block) => {
                block.template.iter().for_each(|inner| partials(inner, out));
            }
            _ => {}
        }
    }
}
