//! When the client reads a rule.

/// The globs of a scope for the client, which reads them as git does those of `.gitignore`: one without a `/` would match at
/// any depth, and one that matches a directory would take all that is in it. What is taken out again comes before what is
/// taken whole, because the last one that matches counts.
pub(crate) fn as_read_by_client(scope: &[&str]) -> Vec<String> {
    let last = |glob: &str| glob.rsplit('/').next().unwrap_or_default().to_owned();
    let (whole, files): (Vec<&str>, Vec<&str>) = scope.iter().partition(|glob| last(glob).contains("**"));
    let files: Vec<String> = files
        .into_iter()
        .map(|glob| if glob.contains('/') { glob.to_owned() } else { format!("/{glob}") })
        .collect();
    let wild = |glob: &&String| last(glob).contains(['*', '?', '[', '{']);
    let directories: Vec<String> = files.iter().filter(wild).map(|glob| format!("!{glob}/")).collect();
    files.into_iter().chain(directories).chain(whole.into_iter().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::as_read_by_client;

    #[test]
    fn a_scope_is_written_as_the_client_reads_it() {
        for (scope, globs) in [
            (&["api/**", "**/tests/**", "**"][..], &["api/**", "**/tests/**", "**"][..]),
            (&["*", ".claude/**"], &["/*", "!/*/", ".claude/**"]),
            (&["gen/**", "docs/*.md", "Makefile"], &["docs/*.md", "/Makefile", "!docs/*.md/", "gen/**"]),
        ] {
            assert_eq!(as_read_by_client(scope), globs, "{scope:?}");
        }
    }
}
