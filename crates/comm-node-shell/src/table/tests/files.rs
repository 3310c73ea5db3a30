//! What makes, copies, moves and removes files.

use super::{check, run_with};

#[test]
fn copying() {
    check(
        "cp a z => file z
        cp a b => file b
        cp a web => file web/a
        cp a web/ => file web/a
        cp a new/ => file new/a
        cp -T a web => file web
        cp a b c.txt web => file web/a, file web/b, file web/c.txt
        cp a b new => file new/a, file new/b
        cp -t web a b => file web/a, file web/b
        cp --target-directory=web a => file web/a
        cp --target-dir web a => file web/a
        cp -r src web => under web/src
        cp -r src new => under new
        cp -a src/. new => under new
        cp -R src/ web => under web/src
        cp -r a web => file web/a
        cp -r src a web => under web/src, file web/a
        cp -r src new/ => under new/
        cp --parents src/a.rs web => file web/src/a.rs
        cp -n a b => maybe file b
        cp a . => file a
        cp /etc/hosts . => file hosts
        cp ../other/x ./ => file x
        cp -- -a b => file b
        cp -S .bak a b => file b, maybe entry b.bak
        cp -b a web => file web/a, maybe entry web/a~
        mv --backup a b => entry a, entry b, maybe entry b~
        cp $files => ?path
        cp $f web => file web/…
        cp a $d => ?path
        cp a web/$d => file web/…
        cp a $d/ => ?path
        cp --help =>
        cp a =>
        cp =>",
    );
}

#[test]
fn moving_and_linking() {
    check(
        "mv a z => entry a, entry z
        mv a web => entry a, entry web/a
        mv src web => under src, under web/src
        mv src new => under src, under new
        mv src new/ => under src, under new/
        mv a new/ => entry a, entry new/a
        mv -t web a b => entry a, entry b, entry web/a, entry web/b
        mv -n a b => maybe entry a, maybe entry b
        mv -f src/ web/ => under src, under web/src
        mv $x web => ?path, entry web/…
        mv gone z => entry gone, entry z
        ln -s a z => entry z
        ln -s ../x => entry x
        ln -s ../x web => entry web/x
        ln -sf a b => entry b
        ln -sfn releases/5 link => entry link, maybe entry link/5
        ln -sT a web => entry web
        ln a b web => entry web/a, entry web/b
        install -m 755 a /usr/local/bin/z => file /usr/local/bin/z
        install -m755 a web => file web/a
        install -d x/y z => entry x/y, entry z
        install -Dm644 a x/y/z => file x/y/z",
    );
}

#[test]
fn removing_and_making() {
    check(
        "rm a => entry a
        rm -f a b => entry a, entry b
        rm -rf web => under web
        rm -rf web/ => under web
        rm -rf gone => entry gone
        rm -fr a => entry a
        rm --recursive web => under web
        rm --rec web => under web
        rm -r $x => ?path
        rm -r web/$x => under web/…
        rm -- -rf => entry -rf
        rm - => entry -
        rmdir web => entry web
        unlink a => entry a
        shred -u -n 3 a => entry a
        mkdir x => entry x
        mkdir -p web =>
        mkdir -p web/x/y => entry web/x/y
        mkdir -m 700 x => entry x
        touch a b => file a, file b
        touch -d yesterday a => file a
        touch -t 202001010000 a => file a
        touch - =>
        tee a => file a
        tee -a a b => file a, file b
        tee =>
        tee $x => ?path
        tee /tmp/log-$x => file /tmp/log-…
        sponge a => file a
        truncate -s 0 a => file a
        truncate --size=0 a b => file a, file b
        dd if=a of=b bs=1 => file b
        dd if=a =>
        mkfifo p => entry p
        mktemp =>
        mktemp -d =>
        mktemp x.XXXX => entry x.XXXX
        mktemp -t x.XXXX =>
        chmod +x a => file a
        chmod -x a => file a
        chmod -R 755 web => under web
        chmod u+w $f => ?path
        chmod --reference=a b => file b
        chown me:me a b => file a, file b
        split -b 10 a part_ => file part_…
        split a => file x…
        sort a -o a => file a
        sort -oa b => file a
        sort --output=b a => file b
        sort --out b a => file b
        sort -k 2 -t , a =>
        sort -t -o a =>
        uniq a b => file b
        uniq a =>
        patch -p1 => ?path
        patch -p1 -i x.diff => ?path
        patch a x.diff => file a
        patch --dry-run -p1 =>
        patch -o out a x.diff => file out, file a
        dos2unix a => file a",
    );
}

#[test]
fn where_the_working_directory_is_not_known() {
    assert_eq!(run_with("cp a web", &[], None), "maybe under web");
    assert_eq!(run_with("cp a /r/w/web", &[], None), "file /r/w/web/a");
    assert_eq!(run_with("rm -r web", &[], None), "under web");
    assert_eq!(run_with("mkdir -p web", &[], None), "entry web");
    assert_eq!(run_with("git add -A", &[], None), "staged .");
}

#[test]
fn what_stands_at_a_name_afterwards_is_told() {
    for (line, expected) in [
        ("ln -s ../x l", "l -> ../x"),
        ("ln -s ../x web", "web/x -> ../x"),
        ("ln -s ../x", "x -> ../x"),
        ("ln a l", "l = a"),
        ("ln -sfn x link", "link -> x, link/x -> x"),
        ("mkdir -p q/r web", "q/r/"),
        ("rm -r src b", "src nothing, b nothing"),
        ("mv a l", "a nothing, l from a"),
        ("cp a l", ""),
        ("cp -a a web", "web/a from a"),
        ("cp -rL src l", ""),
        ("git mv a web", "a nothing, web/a from a"),
        ("ln -s $ l$", ""),
    ] {
        assert_eq!(super::standing(line), expected, "{line}");
    }
}
