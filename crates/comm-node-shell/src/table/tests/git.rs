//! git.

use super::{check, run_with};

#[test]
fn readers() {
    check(
        "git status =>
        git log --oneline -5 =>
        git diff HEAD~1 -- src =>
        git show HEAD:a =>
        git --no-pager diff =>
        git -C ../other log =>
        git -c color.ui=always status =>
        git -c core.pager=cat log =>
        git blame a =>
        git branch =>
        git branch -a =>
        git branch new =>
        git branch -D old =>
        git tag v1 =>
        git remote -v =>
        git fetch --all =>
        git push origin HEAD =>
        git rev-parse --show-toplevel =>
        git ls-files =>
        git grep -n x =>
        git stash list =>
        git stash show -p =>
        git stash drop =>
        git worktree list =>
        git config user.name x =>
        git config --get user.name =>
        git config -f .gitmodules submodule.x.url =>
        git hash-object -w a =>
        git log $range =>
        git diff $a $b =>
        git show --help =>
        git --version =>
        git bisect log =>
        git submodule status =>
        git gc =>",
    );
}

#[test]
fn output_files() {
    check(
        "git diff --output=x.diff => file x.diff
        git log -p --output x.txt => file x.txt
        git archive -o x.tar HEAD => file x.tar
        git archive HEAD =>
        git bundle create x.bundle HEAD => file x.bundle
        git format-patch --stdout HEAD~1 =>
        git format-patch -o out HEAD~1 => under out
        git format-patch HEAD~1 => ?path
        git config -f .gitmodules submodule.x.url y => file .gitmodules
        git merge-file a b c.txt => file a",
    );
}

#[test]
fn staging() {
    check(
        "git add a => staged a
        git add . => staged .
        git add -A => staged /r
        git add --all => staged /r
        git add -A . => staged .
        git add -A web => staged web
        git add -u => staged /r
        git add :/ => staged /r
        git add '*.rs' => staged .
        git add 'src/*.rs' => staged src
        git add -n . =>
        git add -- a b => staged a, staged b
        git add -p => staged /r
        git add =>
        git add $f => ?path
        git -C ../other add x => staged ../other/x
        git commit -m x =>
        git commit --amend --no-edit =>
        git commit -F msg =>
        git commit -a -m x => staged /r
        git commit -am x => staged /r
        git commit -qam x => staged /r
        git commit -m -a =>
        git commit -m x a => staged a
        git commit -m x -- a b => staged a, staged b
        git commit -C HEAD =>
        git commit -c HEAD~1 =>
        git -C web commit -m x =>
        git commit --dry-run -a =>",
    );
}

#[test]
fn whole_worktrees() {
    check(
        "git stash => worktree .
        git stash -u => worktree .
        git stash push => worktree .
        git stash push -m msg => worktree .
        git stash push a => file a
        git stash push -- web => under web
        git stash pop => worktree .
        git stash apply stash@{1} => worktree .
        git stash save msg => worktree .
        git stash $x => ?path
        git reset =>
        git reset --soft HEAD~1 =>
        git reset HEAD a =>
        git reset --hard => worktree .
        git reset --hard origin/main => worktree .
        git reset --merge => worktree .
        git merge x => worktree .
        git rebase main => worktree .
        git rebase -x make main => ?program, worktree .
        git rebase --exec=make main => ?program, worktree .
        git pull => worktree .
        git pull --rebase => worktree .
        git cherry-pick abc => worktree .
        git cherry-pick -x abc => worktree .
        git revert abc => worktree .
        git am x.patch => worktree .
        git bisect good => worktree .
        git bisect run make => worktree ., ?program
        git -C ../other pull => worktree ../other
        git --git-dir=/x/.git --work-tree=/x reset --hard => worktree /x
        git read-tree -u -m HEAD => worktree .
        git read-tree HEAD =>
        git checkout-index -a => worktree .
        git sparse-checkout set web => worktree .
        git lfs pull => worktree .
        git submodule update --init => ?program
        git submodule foreach 'rm x' => ?program",
    );
}

#[test]
fn checkouts() {
    check(
        "git checkout main => worktree .
        git checkout -b new =>
        git checkout -B new HEAD =>
        git checkout -b new origin/main => worktree .
        git checkout a => file a
        git checkout -- a => file a
        git checkout -- web => under web
        git checkout -- . => under .
        git checkout . => under .
        git checkout -- gone => file gone
        git checkout HEAD -- a b => file a, file b
        git checkout HEAD~1 a => file a
        git checkout main -- => worktree .
        git checkout HEAD =>
        git checkout =>
        git checkout -f => worktree .
        git checkout --theirs a => file a
        git checkout -p a => file a
        git checkout '*.rs' => maybe under .
        git checkout :/ => worktree .
        git checkout $b => maybe worktree .
        git checkout $rev -- a => file a
        git checkout --orphan x =>
        git checkout -q --detach v1 => worktree .
        git switch main => worktree .
        git switch - => worktree .
        git switch -c new =>
        git switch -c new HEAD =>
        git switch -c new origin/main => worktree .
        git switch --create new =>
        git restore a => file a
        git restore . => under .
        git restore web => under web
        git restore --staged a =>
        git restore -S . =>
        git restore -SW a => file a
        git restore --staged --worktree a => file a
        git restore -s HEAD~2 a => file a
        git restore --source HEAD~2 -- a => file a
        git restore :/ => worktree .
        git restore 'src/*.rs' => maybe under src
        git restore $f => ?path",
    );
}

#[test]
fn the_rest() {
    check(
        "git rm a => entry a
        git rm -r web => under web
        git rm --cached a =>
        git rm -n a =>
        git mv a z => entry a, entry z
        git mv a web => entry a, entry web/a
        git mv -n a z =>
        git clean -fd => maybe under .
        git -C .. clean -fdx => maybe worktree ..
        git clean -n =>
        git clean -fdn =>
        git clean -fd web => maybe under web
        git clean -fd -e x => maybe under .
        git apply x.diff => ?path
        git apply --check x.diff =>
        git apply --stat x.diff =>
        git worktree add ../wt => under ../wt
        git worktree add -b x ../wt main => under ../wt
        git worktree remove ../wt => under ../wt
        git init => maybe under .git
        git init x => maybe under x
        git clone https://e.org/a/repo.git => under repo
        git clone --depth 1 git@e.org:repo => under repo
        git clone https://e.org/a/repo dir => under dir
        git clone $url => ?path
        git lfs track '*.bin' => file .gitattributes
        git st => ?program
        git -c alias.st='!rm a' st => maybe run[sh -c rm a \"$@\" sh …], ?program
        git -c alias.x=status x => maybe run[sh -c git status \"$@\" sh …], ?program
        git -c core.pager='sh -c x' log => maybe run[sh -c sh -c x sh /dev/null]
        git -c core.editor='vim -n' commit => maybe run[sh -c vim -n \"$@\" sh /dev/null]
        git -c core.hooksPath=h commit => ?code
        git -c include.path=f log => ?code
        git -c credential.helper=store fetch =>
        git -c core.hooksPath=/dev/null commit -m x =>
        git $sub => ?program
        git mergetool => ?program
        git filter-branch x => ?program
        git => ?program",
    );
}

#[test]
fn staging_outside_of_a_repository() {
    assert_eq!(run_with("git add -A", &[], Some("/elsewhere")), "staged .");
}

#[test]
fn settings_that_run_programs_are_writes() {
    super::check(
        "
        git config core.hooksPath /tmp/x => file /r/.git/config
        git config --local core.fsmonitor x => file /r/.git/config
        git config --add alias.st '!touch x' => file /r/.git/config
        git config set core.editor x => file /r/.git/config
        git config --unset core.hooksPath => file /r/.git/config
        git config --remove-section core => file /r/.git/config
        git config --rename-section foo alias => file /r/.git/config
        git config -e => file /r/.git/config
        git config edit => file /r/.git/config
        git config diff.x.command y => file /r/.git/config
        git config includeIf.gitdir:x.path y => file /r/.git/config
        git config $x y => file /r/.git/config
        git config --global alias.x y => sh[>> ~/.gitconfig]
        git config --system alias.x y =>
        git config user.email a@b =>
        git config --global user.name x =>
        git config user.name core.hooksPath =>
        git config core.hooksPath =>
        git config --get core.hooksPath =>
        git config get core.hooksPath =>
        git config --get-regexp alias.* =>
        git config --list =>
        git config core.autocrlf input =>
        git remote add up url =>
        git branch --set-upstream-to=origin/main =>
        ",
    );
}
