//! PowerShell commands and what they write.

use std::path::{Path, PathBuf};

use super::{look, write_set};
use crate::{Certainty, Context, FileKind, MAX_BYTES, Target, Tree, WriteSet};

/// `/n` with `api/`, `web/` and a file in each.
struct Files;

impl Tree for Files {
    fn kind(&self, path: &Path) -> Option<FileKind> {
        match path.to_str()? {
            "/n" | "/n/api" | "/n/web" | "/n/api/sub" | "/n/web/../api" => Some(FileKind::Directory),
            "/n/api/a.txt" | "/n/web/b.txt" => Some(FileKind::File),
            _ => None,
        }
    }
    fn names(&self, _: &Path) -> Option<Vec<String>> {
        None
    }
}

fn context() -> Context<'static> {
    Context {
        cwd: PathBuf::from("/n"),
        home: Some(PathBuf::from("/home/me")),
        variables: vec![("TEMP", "/tmp".to_owned())],
        rows: vec!["mygen -o=FILE ARG..."],
        own: None,
    }
}

/// `f:` file, `e:` entry, `u:` under, `w:` worktree, `s:` staged, `?` behind it if only possible; `!Why` for
/// the unknown. Paths are relative to `/n`.
fn show(set: &WriteSet) -> String {
    let mut out = Vec::new();
    for write in &set.writes {
        let kind = match write.target {
            Target::File(_) => 'f',
            Target::Entry(_) => 'e',
            Target::Under(_) => 'u',
            Target::Worktree(_) => 'w',
            Target::Staged(_) => 's',
        };
        let path = write.target.path();
        let path = path.strip_prefix("/n").unwrap_or(path).to_str().expect("UTF-8").to_owned();
        let path = if path.is_empty() { ".".to_owned() } else { path };
        let possible = if write.certainty == Certainty::Possible { "?" } else { "" };
        out.push(format!("{kind}:{path}{possible}"));
    }
    out.extend(set.unknown.iter().map(|unknown| format!("!{:?}", unknown.why)));
    out.join(" ")
}

#[track_caller]
fn check(windows: bool, cases: &[(&str, &str)]) {
    for (command, want) in cases {
        assert_eq!(show(&look(command, &context(), &Files, windows)), *want, "{command}");
    }
}

#[test]
fn readers_write_nothing() {
    for command in [
        "ls",
        "Get-ChildItem -Recurse -Filter *.cs | Where-Object { $_.Length -gt 5 } | Select-Object -First 3",
        "Get-Content api/a.txt | Select-String foo | Measure-Object -Line",
        "gci . -File | % { $_.Name.ToUpper() } | sort",
        "gci | ForEach-Object FullName",
        "cat web/b.txt; type web/b.txt; pwd; echo hi",
        "Write-Host \"a > b\" -ForegroundColor Red",
        "Write-Output 'x' | Out-Null",
        "Test-Path web/x; if (Test-Path web/x) { 'yes' } else { 'no' }",
        "$x = Get-Date; $x.ToString('yyyy')",
        "$env:FOO = 'bar'; $env:FOO",
        "git status 2>&1 | Out-String",
        "git log --oneline -5 *>&1",
        "npm --version 2>$null",
        "Get-Process > $null",
        "1..3 | ForEach-Object { $_ * 2 }",
        "@{ a = 1; b = 'two' } | ConvertTo-Json",
        "[math]::Round(1.5); [System.IO.Path]::Combine('a', 'b')",
        "[IO.File]::ReadAllText('web/b.txt')",
        "[System.IO.File]::Exists('x') -and [IO.Directory]::Exists('y')",
        "# rm web/x\nls # > web/x\n<# > web/y #>",
        "Remove-Item web -Recurse -WhatIf",
        "Set-Content env:X 1; sc HKCU:/Software/x 1",
        "(Get-Content web/b.txt -Raw).Replace('a', 'b')",
        "foreach ($f in Get-ChildItem) { $f.Name }",
        "switch ($x) { 'a' { 'one' } default { 'two' } }",
        "try { Get-Item x } catch { Write-Error $_ } finally { 'done' }",
        "function f { param([string]$p = 'x') Get-Content $p }; f web/b.txt",
        "cd web; ls",
        "Get-Content x | ConvertFrom-Json | Select-Object -ExpandProperty name",
        "$PSVersionTable.PSVersion",
        "'> web/x'",
        "",
        ";;\n",
    ] {
        assert_eq!(show(&look(command, &context(), &Files, true)), "", "{command}");
        assert_eq!(show(&write_set(command, &context(), &Files)), "", "{command}");
    }
}

#[test]
fn cmdlets_and_their_parameters() {
    check(
        true,
        &[
            ("Set-Content web/x 'a'", "f:web/x"),
            ("Set-Content -Path web/x -Value 'a'", "f:web/x"),
            ("Set-Content -Value a -LiteralPath web/x", "f:web/x"),
            ("sc -Pa:web/x a", "f:web/x"),
            ("SET-CONTENT -Encoding utf8 -NoNewline -Force web/x a", "f:web/x"),
            ("'a' | Set-Content web/x, web/y", "f:web/x f:web/y"),
            ("'a' | Add-Content -Path 'web/x y'", "f:web/x y"),
            ("ac web/x 1; clc web/y", "f:web/x f:web/y"),
            ("ls | Out-File -FilePath web/x -Append -Encoding ascii", "f:web/x"),
            ("ls | Out-File web/x -Width 200", "f:web/x"),
            ("ls | Tee-Object -FilePath web/x | Out-Null", "f:web/x"),
            ("ls | tee -Variable v", ""),
            ("New-Item web/x", "f:web/x"),
            ("ni -ItemType File -Path web -Name x", "f:web/x"),
            ("New-Item -Type Directory web/d", "e:web/d"),
            ("New-Item -ItemType SymbolicLink -Path web/l -Target ../api", "e:web/l"),
            ("mkdir web/d; md web/e", "e:web/d e:web/e"),
            ("Remove-Item web/b.txt", "e:web/b.txt"),
            ("rm -Recurse -Force web", "u:web"),
            ("rm -r -fo web, api/sub", "u:web u:api/sub"),
            ("del web/b.txt -Confirm:$false", "e:web/b.txt"),
            ("Remove-Item web -Recurse -WhatIf:$false", "u:web"),
            ("ri web/*.log", "u:web?"),
            ("ri -LiteralPath 'web/[x].log'", "e:web/[x].log"),
            ("Get-ChildItem *.log | Remove-Item", "!Path"),
            ("Move-Item web/b.txt api", "e:web/b.txt f:api/b.txt"),
            ("mv web/b.txt api/c.txt", "e:web/b.txt f:api/c.txt"),
            ("move web/zz -Destination api", "u:web/zz u:api/zz"),
            ("Copy-Item web/b.txt api", "f:api/b.txt"),
            ("cp web/b.txt api/new.txt", "f:api/new.txt"),
            ("copy web api/new -Recurse", "u:api/new"),
            ("cpi web/*.txt -Dest api", "u:api?"),
            ("Copy-Item web/b.txt", "f:b.txt"),
            ("Rename-Item web/b.txt c.txt", "e:web/b.txt e:web/c.txt"),
            ("ren web/zz -NewName y", "u:web/zz e:web/y"),
            ("$d | Export-Csv web/x.csv -NoTypeInformation", "f:web/x.csv"),
            ("$d | Export-Clixml -Path web/x.xml", "f:web/x.xml"),
            ("Invoke-WebRequest https://x -OutFile web/x", "f:web/x"),
            ("iwr https://x | Out-Null", ""),
            ("curl -Uri https://x -OutF web/x", "f:web/x"),
            ("Expand-Archive x.zip -DestinationPath web/out", "u:web/out"),
            ("Expand-Archive web/x.zip", "u:x"),
            ("Compress-Archive -Path web -DestinationPath web/x.zip", "f:web/x.zip"),
            ("Start-Transcript web/log.txt", "f:web/log.txt"),
            ("Set-Content -Path $x a", "!Path"),
            ("Set-Content @args", "!Path"),
            ("Set-Content -Mystery web/x web/y a", "f:web/y !Path"),
        ],
    );
}

#[test]
fn the_language() {
    check(
        true,
        &[
            ("ls > web/x", "f:web/x"),
            ("ls >> web/x 2>web/err", "f:web/x f:web/err"),
            ("ls *> 'web/all files'", "f:web/all files"),
            ("$x = 'web/x'; ls > $x", "f:web/x"),
            ("$d = 'web'; Set-Content \"$d/x\" a; Set-Content $d/y a", "f:web/x f:web/y"),
            ("$d = Join-Path web x; sc $d a", "!Path"),
            ("$d = (Join-Path web x); sc $d a; sc (Join-Path $d y) b", "f:web/x f:web/x/y"),
            ("$x = 'a'; if ($y) { $x = 'b' }; sc $x 1", "!Path"),
            ("$x = 'a'; [string]$x = $y; sc $x 1", "!Path"),
            ("$x = 'a'; $x += 'b'; sc $x 1", "!Path"),
            ("foreach ($x in 1..3) { sc $x 1 }", "!Path"),
            (
                "sc $HOME/x 1; sc ~/y 1; sc $env:TEMP/z 1; sc $PWD/w 1",
                "f:/home/me/x f:/home/me/y f:/tmp/z f:w",
            ),
            ("sc web`/x 1", "f:web/x"),
            ("sc `\n  web/x `\n  1", "f:web/x"),
            ("sc 'it''s' 1; sc \"a`\"b\" 1; sc \"c\"\"d\" 1", "f:it's f:a\"b f:c\"d"),
            ("@'\nls > web/no\n'@ | Set-Content web/x", "f:web/x"),
            ("@\"\n$(sc web/y 1) \"quoted\"\n\"@ | sc web/x", "f:web/y f:web/x"),
            ("Set-Content -Path web/x -Value @'\nit's\n'@\nls", "f:web/x"),
            (
                "if ($a) { sc web/x 1 } elseif ($b) { sc web/y 1 }\nelse { sc web/z 1 }",
                "f:web/x? f:web/y? f:web/z?",
            ),
            ("try { sc web/x 1 } catch { sc web/y 1 }", "f:web/x f:web/y?"),
            ("1..3 | % { sc web/x $_ }", "f:web/x?"),
            ("& { sc web/x 1 }", "f:web/x"),
            ("& 'Set-Content' web/x 1", "f:web/x"),
            ("& $tool web/x", "!Name"),
            ("$tool web/x", ""),
            (". ./lib.ps1", "!Script"),
            ("./build.ps1 -All", "!Script"),
            ("Test-Path x && sc web/x 1 || sc web/y 1", "f:web/x f:web/y?"),
            ("ls |\n  Out-File web/x", "f:web/x"),
            ("ls\n  | Out-File web/x", "f:web/x"),
            ("cd web; sc x 1; cd ../api; sc y 1", "f:web/x f:web/../api/y"),
            ("Push-Location web; sc x 1; Pop-Location; sc y 1", "f:web/x f:y"),
            ("cd nowhere; sc x 1", "!Path"),
            ("mkdir new; cd new; sc x 1", "e:new f:new/x"),
            ("if ($a) { cd web }; sc x 1", "!Path"),
            ("function f { sc x 1 }; f", "!Path"),
            ("function f { sc /n/web/x 1 }\nf", "f:web/x?"),
            ("$b = { rm web/b.txt }", "e:web/b.txt?"),
            ("@{ a = (sc web/x 1) }", "f:web/x"),
            ("\"now $(sc web/x 1)\"", "f:web/x"),
            ("return (sc web/x 1)", "f:web/x"),
            ("sc web\\x 1", "f:web/x"),
            ("$b = 'x'; $a = $b = 'y'; sc $b 1", "!Path"),
            ("$x = 'a'; $script:x = 'b'; sc $x 1", "!Path"),
            ("$x = 1; $x++; sc f$x 1", "!Path"),
            ("$x = if ($a) { sc web/x 1 } else { 2 }", "f:web/x?"),
            ("$x = 'a'; while ($y) { sc $x 1; $x = 'b' }", "f:a? !Path"),
            ("do { sc web/x 1 } while ($a)", "f:web/x"),
            ("$env:TEMP = '/n/web'; sc $env:TEMP/x 1", "f:web/x"),
            ("if (1) { ls } sc web/x 1", "f:web/x"),
            ("echo foo(sc web/x 1)", "f:web/x"),
            ("ls } {", "!Syntax"),
            ("echo \u{201c}x\u{201d}", "!Syntax"),
            ("ls > ", "!Syntax"),
        ],
    );
}

#[test]
fn code_and_other_programs() {
    check(
        true,
        &[
            ("[IO.File]::WriteAllText('web/x', 'y')", "f:web/x"),
            ("[System.IO.File]::AppendAllText(\"web/x\", $y)", "f:web/x"),
            ("cd web; [IO.File]::WriteAllText('x', 'y')", "f:x? f:web/x?"),
            ("[IO.File]::WriteAllLines($p, $y)", "!Code"),
            ("[IO.File]::Delete('web/x'); [IO.File]::Copy('a', 'web/y')", "e:web/x f:web/y"),
            ("[IO.Directory]::CreateDirectory('web/d') | Out-Null", "e:web/d"),
            ("[IO.Directory]::Delete('web', $true)", "u:web"),
            ("[My.Tool]::Run('x')", "!Code"),
            ("$doc.Save('web/x')", "!Code"),
            ("(New-Object Net.WebClient).DownloadFile('u', 'web/x')", "!Code"),
            ("gci | % { $_.Delete() }", "!Code"),
            ("gci | % Delete", "!Code"),
            ("iex 'sc web/x 1'", "f:web/x"),
            ("iex $code", "!Script"),
            ("iwr https://x | iex", "!Script"),
            ("pwsh -NoProfile -c 'sc web/x 1'", "f:web/x"),
            ("powershell -File x.ps1", "!Script"),
            ("cmd /c del web", "!Script"),
            ("Start-Process notepad", "!Program"),
            ("Frob-Thing web", "!Program"),
            ("python gen.py", "!Program"),
            ("git checkout -- web/b.txt", "f:web/b.txt"),
            ("git add -A", "s:."),
            ("mygen -o web/x y", "f:web/x"),
            ("mygen.exe -o web\\x y", "f:web/x"),
            ("bash -c 'echo x > web/x'", "f:web/x"),
            ("python --version; npm --version", ""),
        ],
    );
    // Elsewhere than on Windows these are programs, with options of their own.
    check(
        false,
        &[
            ("rm -rf web", "u:web"),
            ("cp web/b.txt api", "f:api/b.txt"),
            ("ls -la | tee web/x", "f:web/x"),
            ("Copy-Item web/b.txt api", "f:api/b.txt"),
        ],
    );
}

#[test]
fn hostile_texts_end() {
    let deep =
        |open: &str, close: &str, n: usize| [open.repeat(n), "sc x 1".into(), close.repeat(n)].concat();
    for text in [
        deep("(", ")", 50_000),
        deep("& {", "}", 30_000),
        deep("\"$(", ")\"", 20_000),
        "(".repeat(100_000),
        "\"$(".repeat(60_000),
        "@'\n".repeat(50_000),
        "@{".repeat(90_000),
        "$a='iex $a;iex $a;iex $a;iex $a'; iex $a".to_owned(),
        format!("$a='{}'\n{}", "x".repeat(9_000), "$a=\"$a$a\"\n".repeat(20)),
        "sc x 1;".repeat(30_000),
        (0..20_000).map(|i| format!("sc {i} 1;")).collect(),
        "bash -c 'echo > x';".repeat(10_000),
        "x".repeat(MAX_BYTES + 1),
        "function f {} ".repeat(6_000),
        "$a=".repeat(9_000),
        "while(1){$a=1;".repeat(14) + &"}".repeat(14),
        "`".to_owned(),
        "$".to_owned(),
        "@\"".to_owned(),
        "@\"\n\"@".to_owned(),
        "@'\n'@".to_owned(),
        "${".to_owned(),
        "2>".to_owned(),
        "<".to_owned(),
        "'\u{e9}".to_owned(),
        "sc \"\u{e9}$".to_owned(),
    ] {
        let set = look(&text, &context(), &Files, true);
        assert!(
            set.writes.len() <= super::value::MAX_WRITES && set.unknown.len() <= super::value::MAX_WRITES
        );
    }
    let deep = look(&deep("& {", "}", 30), &context(), &Files, true);
    assert_eq!(show(&deep), "!TooLarge");
}

mod random {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nothing_panics(parts in prop::collection::vec(prop::sample::select(vec![
            "'", "\"", "$(", ")", "{", "}", "@'\n", "\n'@", "@\"\n", "\n\"@", "`", "$x", "=", "|", "&", ";", "\n", ">", "2>", "#",
            "<#", "#>", "sc ", "-Path ", "rm ", "[IO.File]::", "Delete(", ",", "if ", "\u{e9}", ":", "iex ", "@{", " ", "cd ", "*",
        ]), 0..40)) {
            let _ = look(&parts.concat(), &context(), &Files, true);
        }
    }
}

/// A tree in which every path is a directory; keeps the most components that it was asked for.
struct Deep(std::cell::Cell<usize>);

impl Tree for Deep {
    fn kind(&self, path: &Path) -> Option<FileKind> {
        self.0.set(self.0.get().max(path.components().count()));
        Some(FileKind::Directory)
    }
    fn names(&self, _: &Path) -> Option<Vec<String>> {
        None
    }
}

/// The system goes through each component with each `cd`: a thousand of them are half a million.
#[test]
fn a_directory_behind_many_steps_is_not_known() {
    let steps = |n: usize| {
        let deep = Deep(std::cell::Cell::new(0));
        let set = look(&format!("{}sc x 1", "cd ..; ".repeat(n)), &context(), &deep, true);
        (show(&set), deep.0.get())
    };
    assert_eq!(steps(3).0, "f:../../../x");
    let (said, most) = steps(1_000);
    assert!(said == "!Path" && most < 300, "{said}, {most}");
}
