//! Renders templates, strictly: a variable that isn't there is an error with its place, and what comes
//! out is checked before anybody gets it.

use anyhow::{Context as _, Result, anyhow, bail};
use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, Output, RenderContext, RenderError,
    RenderErrorReason, Renderable, ScopedJson, TemplateError, TemplateErrorReason, no_escape,
};
use serde_json::Value;

use super::templates::{Template, Templates};
use super::{block, context, frontmatter, trial};

/// The renderer of one set of templates.
pub struct Engine {
    registry: Handlebars<'static>,
    templates: Templates,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("templates", &self.templates).finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine for `templates`, each of which has been tried on a node that has everything and on one
    /// that has nothing, so that a slip is found whatever this node has.
    ///
    /// # Errors
    /// The first fault of a template, with its file, line and column.
    pub fn new(templates: Templates) -> Result<Self> {
        let mut registry = renderer();
        registry.register_helper("if", Box::new(Strict { when: true }));
        registry.register_helper("unless", Box::new(Strict { when: false }));
        for template in templates.iter() {
            registry
                .register_template_string(&template.name, &template.text)
                .map_err(|e| unreadable(template, &e))?;
        }
        let engine = Self { registry, templates };
        if engine.templates.iter().any(|t| t.own) {
            engine.try_own()?;
        }
        Ok(engine)
    }

    /// Tries the node's own templates.
    fn try_own(&self) -> Result<()> {
        trial::no_circle(self.registry.get_templates())?;
        let mut all_branches = renderer();
        all_branches.register_helper("if", Box::new(trial::Both));
        all_branches.register_helper("unless", Box::new(trial::Both));
        for (name, template) in self.registry.get_templates() {
            let mut template = template.clone();
            trial::unfold(&mut template);
            all_branches.register_template(name, template);
        }
        let everything = context::everything()?;
        for template in self.templates.iter().filter(|t| t.own) {
            for sample in context::samples(&template.name)? {
                self.raw(template, &sample)?;
            }
            let text = all_branches.render_with_context(&template.name, &everything);
            self.shown(template, text)?;
        }
        Ok(())
    }

    /// The templates.
    #[must_use]
    pub fn templates(&self) -> &Templates {
        &self.templates
    }

    /// The part of a `CLAUDE.md` that `template` makes of `context`.
    ///
    /// # Errors
    /// The fault of the template.
    pub fn part(&self, template: &Template, context: &Context) -> Result<String> {
        let text = self.raw(template, context)?;
        if let Some(line) = block::marker_in(&text) {
            bail!(
                "could not use {}: line {line} of what it makes is a marker of comm-node's; remove it",
                template.file()
            );
        }
        Ok(text)
    }

    /// The file with front matter that `template` makes of `context`. `name` is what its front matter has
    /// to say as its name, if any.
    ///
    /// # Errors
    /// The fault of the template, or of what it makes.
    pub fn file(&self, template: &Template, context: &Context, name: Option<&str>) -> Result<String> {
        let text = self.raw(template, context)?;
        let failed = || format!("could not use what {} makes", template.file());
        let fields = frontmatter::fields(&text).map_err(|why| anyhow!(why)).with_context(failed)?;
        if let Some(name) = name {
            match fields.get("name") {
                Some(Value::String(said)) if said == name => {}
                _ => bail!("{}: its front matter must have `name: {{{{quote role.name}}}}`", failed()),
            }
            // Without it the client lists no such agent.
            if fields.get("description").and_then(Value::as_str).is_none_or(|d| d.trim().is_empty()) {
                bail!("{}: its front matter must have a `description`", failed());
            }
        }
        Ok(text)
    }

    fn raw(&self, template: &Template, context: &Context) -> Result<String> {
        let text = self.registry.render_with_context(&template.name, context);
        let mut text = self.shown(template, text)?;
        text.truncate(text.trim_end().len());
        text.push('\n');
        Ok(text)
    }

    /// What `template` made, if nothing in it acts unseen on a terminal or a reader.
    fn shown(&self, template: &Template, made: std::result::Result<String, RenderError>) -> Result<String> {
        let text = made.map_err(|e| self.broken(template, &e))?;
        // Emoji and some scripts are made with joiners.
        let acts = |c: char| {
            comm_node_core::text::is_hidden(c) && !matches!(c, '\n' | '\t' | '\u{200C}' | '\u{200D}')
        };
        for (i, line) in text.split('\n').enumerate() {
            if let Some(c) = line.strip_suffix('\r').unwrap_or(line).chars().find(|c| acts(*c)) {
                bail!(
                    "could not use {}: line {} of what it makes has the character {}, which nobody sees; take it out",
                    template.file(),
                    i + 1,
                    c.escape_unicode()
                );
            }
        }
        Ok(text)
    }

    /// What kept `template` from being rendered. The fault may lie in one that it includes.
    fn broken(&self, template: &Template, error: &RenderError) -> anyhow::Error {
        let inner = error.template_name.as_deref().and_then(|name| self.templates.get(name));
        let place = match (error.line_no, error.column_no) {
            (Some(line), Some(column)) => format!(":{line}:{column}"),
            _ => String::new(),
        };
        let why = match error.reason() {
            RenderErrorReason::MissingVariable(Some(path)) => {
                format!("there is no variable `{path}`; docs/generate.md lists them")
            }
            RenderErrorReason::MissingVariable(None) => {
                "it names a variable that isn't there; docs/generate.md lists them".to_owned()
            }
            other => other.to_string(),
        };
        let file = inner.unwrap_or(template).file();
        anyhow!("could not render {file}{place}: {}", comm_node_core::text::one_line(&why, 300))
    }
}

/// What renders strictly, with all helpers but those that choose a branch.
fn renderer() -> Handlebars<'static> {
    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    registry.register_escape_fn(no_escape);
    registry.register_helper("list", Box::new(List));
    registry.register_helper("quote", Box::new(Quote));
    registry
}

/// `{{#if x}}` and `{{#unless x}}` as usual, but an `x` that isn't there is an error, not false.
struct Strict {
    when: bool,
}

impl HelperDef for Strict {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        registry: &'reg Handlebars<'reg>,
        context: &'rc Context,
        render: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let true_enough = match known(helper)? {
            Value::Null => false,
            Value::Bool(yes) => *yes,
            Value::Number(n) => n.as_f64() != Some(0.0),
            Value::String(text) => !text.is_empty(),
            Value::Array(items) => !items.is_empty(),
            Value::Object(_) => true,
        };
        let part = if true_enough == self.when { helper.template() } else { helper.inverse() };
        part.map_or(Ok(()), |part| part.render(registry, context, render, out))
    }
}

/// `{{list xs}}`: the items with commas.
struct List;

impl HelperDef for List {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> std::result::Result<ScopedJson<'rc>, RenderError> {
        let Value::Array(items) = known(helper)? else {
            return Err(RenderErrorReason::Other("`list` wants a list".to_owned()).into());
        };
        let items: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
        Ok(Value::from(items.join(", ")).into())
    }
}

/// `{{quote x}}`: a text as YAML takes it, whatever it holds.
struct Quote;

impl HelperDef for Quote {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> std::result::Result<ScopedJson<'rc>, RenderError> {
        let Value::String(text) = known(helper)? else {
            return Err(RenderErrorReason::Other("`quote` wants a text".to_owned()).into());
        };
        Ok(Value::from(Value::from(text.as_str()).to_string()).into())
    }
}

/// The helper's one value.
pub(super) fn known<'h>(helper: &'h Helper<'_>) -> std::result::Result<&'h Value, RenderError> {
    let value = helper
        .param(0)
        .ok_or_else(|| RenderErrorReason::Other(format!("`{}` wants a variable", helper.name())))?;
    if value.is_value_missing() {
        return Err(RenderError::strict_error(value.relative_path()));
    }
    Ok(value.value())
}

fn unreadable(template: &Template, error: &TemplateError) -> anyhow::Error {
    let place = error.pos().map_or(String::new(), |(line, column)| format!(":{line}:{column}"));
    let why = match error.reason() {
        // Behind the colon is what the grammar calls its parts.
        TemplateErrorReason::InvalidSyntax(_) => {
            "the syntax ends here; perhaps a `{{` or a `{{#…}}` before it is never closed".to_owned()
        }
        other => other.to_string(),
    };
    anyhow!("could not read {}{place}: {}", template.file(), comm_node_core::text::one_line(&why, 300))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        let own = vec![("CLAUDE.md.hbs".to_owned(), text.to_owned())];
        let templates = Templates::with(own, &[]).expect("known");
        format!("{:#}", Engine::new(templates).expect_err("a fault"))
    }

    #[test]
    fn an_unknown_variable_has_its_place() {
        for (text, place) in [
            ("a\nb {{domain.nmae}}\n", "CLAUDE.md.hbs:2:3: there is no variable `domain.nmae`"),
            ("{{#if domian}}x{{/if}}\n", "CLAUDE.md.hbs:1:1: there is no variable `domian`"),
            ("x\n{{#unless peer}}y{{/unless}}\n", "CLAUDE.md.hbs:2:1: there is no variable `peer`"),
            ("x\n{{list domain.scop}}\n", "CLAUDE.md.hbs:2:1: there is no variable `domain.scop`"),
            ("{{#each pears}}y{{/each}}\n", "CLAUDE.md.hbs:1:1: there is no variable `pears`"),
            ("{{#if peers}}\n  {{whoever}}\n{{/if}}\n", "CLAUDE.md.hbs:2:3: there is no variable `whoever`"),
            (
                "{{#unless peers}}\n{{nobody}}\n{{/unless}}\n",
                "CLAUDE.md.hbs:2:1: there is no variable `nobody`",
            ),
            // In branches that nothing ever takes.
            ("{{#if domain}}x{{else}}\n{{zz}}{{/if}}\n", "CLAUDE.md.hbs:2:1: there is no variable `zz`"),
            ("x{{#if node}}y{{else if zz}}{{/if}}", "CLAUDE.md.hbs:1:2: there is no variable `zz`"),
            (
                "{{#unless node.name}}\n {{node.zz}}{{/unless}}",
                "CLAUDE.md.hbs:2:2: there is no variable `node.zz`",
            ),
            ("{{#each pipelines}}x{{else}}\n{{zz}}{{/each}}", "CLAUDE.md.hbs:2:1: there is no variable `zz`"),
            (
                "{{#each peers}}{{#each imports}}\n{{zz}}{{/each}}{{/each}}",
                "CLAUDE.md.hbs:2:1: there is no variable `zz`",
            ),
            (
                "{{#with node}}{{name}}{{else}}{{zz}}{{/with}}",
                "CLAUDE.md.hbs:1:31: there is no variable `zz`",
            ),
            (
                "{{#if domain}}{{#if peers}}{{else}}{{#each peers}}x{{else}}\n{{list zz}}{{/each}}{{/if}}{{/if}}",
                "CLAUDE.md.hbs:2:1: there is no variable `zz`",
            ),
            ("{{#if role}}{{role.zz}}{{/if}}", "CLAUDE.md.hbs:1:13: there is no variable `role.zz`"),
        ] {
            let said = fault(text);
            assert!(said.contains(place), "{text:?}: {said}");
            assert!(said.starts_with("could not render .comm-node/templates/"), "{said}");
        }
    }

    #[test]
    fn so_has_what_is_no_template() {
        for (text, says) in [
            ("a\n{{#if domain}}\n", "CLAUDE.md.hbs:3:1: the syntax ends here"),
            ("a\n{{#if domain}}b{{/unless}}\n", "CLAUDE.md.hbs:2:16: helper \"if\" was opened"),
            ("a\n  {{domain.name\n", "CLAUDE.md.hbs:3:1: the syntax ends here"),
            ("{{list domain.name}}", "CLAUDE.md.hbs:1:1: `list` wants a list"),
            ("a\n{{nothing domain.name}}", "CLAUDE.md.hbs:2:1: "),
        ] {
            let said = fault(text);
            assert!(said.contains(says), "{text:?}: {said}");
        }
    }

    #[test]
    fn what_is_right_in_every_branch_is_taken() {
        let all = "{{#if domain}}{{domain.name}}{{else}}{{node.name}}{{/if}}{{#if role}}{{role.next}}{{quote role.model}}\
                   {{/if}}{{#each peers}}{{@index}}{{name}}{{../node.name}}{{#each imports}}{{from}}{{list names}}{{/each}}{{else}}\
                   {{domain.role}}{{/each}}{{#with domain}}{{list scope}}{{else}}{{peers_more}}{{/with}}\
                   {{#each domains as |d|}}{{d.name}}{{/each}}{{#if (eq node.name \"x\")}}x{{else if gate}}{{list gate}}{{/if}}";
        let own = vec![("CLAUDE.md.hbs".to_owned(), all.to_owned())];
        Engine::new(Templates::with(own, &[]).expect("known")).expect("right");
        // And so are all that are built in, each as if it were a node's own.
        let files = Templates::built_in()
            .iter()
            .map(|t| (format!("{}.hbs", t.name), t.text.clone()))
            .collect::<Vec<_>>();
        let own = files.into_iter().filter(|(name, _)| name != "convention.md.hbs").collect();
        Engine::new(Templates::with(own, &[]).expect("known")).expect("right");
    }

    #[test]
    fn a_fault_is_in_the_template_that_has_it() {
        let own = |files: &[(&str, &str)]| {
            let files =
                files.iter().map(|(name, text)| (format!("commands/{name}.md.hbs"), (*text).to_owned()));
            let templates = Templates::with(files.collect(), &[]).expect("known");
            Engine::new(templates).map_err(|e| format!("{e:#}"))
        };
        let said = own(&[("a", "{{> commands/b.md}}"), ("b", "x\n{{zz}}")]).expect_err("a fault");
        assert!(said.contains("templates/commands/b.md.hbs:2:1: there is no variable `zz`"), "{said}");
        let said = own(&[("a", "{{> commands/none.md}}")]).expect_err("a fault");
        assert!(said.contains("templates/commands/a.md.hbs:1:1: "), "{said}");
        let circle = [
            ("a", "{{#if gate}}{{> commands/b.md}}{{/if}}"),
            ("b", "{{#unless gate}}{{> commands/a.md}}{{/unless}}"),
            ("c", "{{> commands/d.md}}"),
            ("d", ""),
        ];
        let said = own(&circle).expect_err("a circle");
        assert!(said.ends_with("without an end: commands/a.md, commands/b.md"), "{said}");
        own(&circle[2..]).expect("right");
    }

    #[test]
    fn nothing_unseen_comes_out() {
        for (text, character) in [
            ("a\n{{#if node}}b{{else}}\u{1b}[2J{{/if}}", "\\u{1b}"),
            ("a\nb\u{202e}c", "\\u{202e}"),
            ("a\nb\rc", "\\u{d}"),
            ("a\n{{quote \"\u{9b}\"}}", "\\u{9b}"),
        ] {
            let said = fault(text);
            let wanted =
                format!("CLAUDE.md.hbs: line 2 of what it makes has the character {character}, which nobody");
            assert!(said.contains(&wanted) && !said.contains(['\u{1b}', '\u{9b}']), "{text:?}: {said}");
        }
        let own = vec![("CLAUDE.md.hbs".to_owned(), "👩\u{200d}💻\r\n\tx\r\n".to_owned())];
        Engine::new(Templates::with(own, &[]).expect("known")).expect("right");
    }

    #[test]
    fn the_built_in_ones_render_whatever_there_is() {
        let engine = Engine::new(Templates::built_in()).expect("they are right");
        for template in engine.templates.iter() {
            for sample in context::samples(&template.name).expect("samples") {
                engine.raw(template, &sample).expect("renders");
            }
        }
    }
}
