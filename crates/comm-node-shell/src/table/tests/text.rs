//! sed, awk, perl.

use super::check;

#[test]
fn sed_in_place() {
    check(
        "sed s/a/b/ a =>
        sed -n 5,10p a =>
        sed -i s/a/b/ a => file a
        sed -i s/a/b/ a b => file a, file b
        sed -i.bak s/a/b/ a => entry a.bak, file a
        sed -i.bak s/a/b/ web/x.ts => entry web/x.ts.bak, file web/x.ts
        sed -i'old/*' s/a/b/ web/x.ts => entry old/x.ts, file web/x.ts
        sed --in-place=.bak s/a/b/ a => entry a.bak, file a
        sed --in-place s/a/b/ a => file a
        sed --in-pl s/a/b/ a => file a
        sed -ni p a => file a
        sed -Ei s/a/b/ a => file a
        sed -i -e s/a/b/ -e s/c/d/ a => file a
        sed -e s/a/b/ -i a => file a
        sed s/a/b/ a -i => file a
        sed -i '' s/a/b/ a => file a
        sed -i .bak s/a/b/ a => entry a.bak, file a
        sed -i s/a/b/ $f => ?path
        sed -i 's/$x/b/' a => file a
        sed -i $s a => file a
        sed $s a =>
        sed -i -f x.sed a => ?code, file a
        sed -f x.sed a => ?code
        sed --help =>
        gsed -i s/a/b/ a => file a
        /usr/bin/sed -i s/a/b/ a => file a
        sed -i -- s/a/b/ -a => file -a
        sed -i 's/a/b/' ../other/x => file ../other/x",
    );
}

#[test]
fn sed_scripts() {
    check(
        "sed -n 'w out' a => file out
        sed 's/a/b/w out' a => file out
        sed 's/a/b/gw out' a => file out
        sed -e 's/a/b/w out1' -e 'w out2' a => file out1, file out2
        sed 'w /dev/stdout' a =>
        sed 's/new/w/' a =>
        sed 's/w x/w y/' a =>
        sed 's,/,w,g' a =>
        sed 's/[/]w out/x/' a =>
        sed 's/[^]/]*w/x/;p' a =>
        sed '/w out/d' a =>
        sed '\\,w out,d' a =>
        sed '/a/,/b/w out' a => file out
        sed '1~2!d;$p' a =>
        sed '/x/{p;d}' a =>
        sed '/x/{p;w out⏎}' a => file out
        sed 'y/abc/wow/' a =>
        sed ':w;N;$!bw;s/\\n/ /g' a =>
        sed 'a\\w out' a =>
        sed 'a text w out' a =>
        sed '# w out' a =>
        sed 'r w' a =>
        sed '5q' a =>
        sed = a =>
        sed 's/a/date/e' a => ?code
        sed '1e date' a => ?code
        sed 's/a/b' a => ?code
        sed 's/a/b/x' a => ?code
        sed 'w' a => ?code
        sed -E 's/^(a|b)\\/w (.*)$/\\1/' a =>
        sed -n '$=' a =>
        sed -n '/^## /,/^## w/p' a =>
        sed 's|a|b|;s#c#d#I' a =>
        sed 's/a/b/;W out' a => file out",
    );
}

#[test]
fn awk() {
    check(
        "awk '{print $1}' a =>
        awk -F: '{print $1}' a =>
        awk -F : -v x=1 '$1 > 5 {print $2}' a =>
        awk '{ if ($1 > 3) print $2 }' a =>
        awk '{ print ($1 > 3) }' a =>
        awk '{ print ($1 > 3) ? \"x\" : \"y\" }' a =>
        awk '/a > b/ {print}' a =>
        awk '{print \"a > b\"}' a =>
        awk '{print $1 / 2, $2 / 3}' a =>
        awk '{ print > \"out\" }' a => maybe file out
        awk '{ print >> \"out\"; x++ }' a => maybe file out
        awk '{ printf(\"%s\", $1) > \"out\" }' a => maybe file out
        awk '{ print $1, $2 > \"out\" }' a => maybe file out
        awk '{ print > \"/dev/stderr\" }' a =>
        awk '{ print > $1 }' a => ?path
        awk '{ print > \"out/\" $1 }' a => maybe file out/…
        awk '{ print > $1 \".txt\" }' a => ?path
        awk '{ print | \"sort > out\" }' a => sh[sort > out]
        awk '{ \"date\" | getline d }' a => sh[date]
        awk '{ cmd | getline d }' a => ?code
        awk '{ system(\"rm x\") }' a => sh[rm x]
        awk '{ system(\"rm \" $1) }' a => ?code
        awk '$1 || $2' a =>
        awk '# print > \"x\"⏎{print}' a =>
        awk -f x.awk a => ?code
        awk '@include \"x\"; {print}' a => ?code
        awk 'BEGIN { while ((getline l < \"a\") > 0) print l }' =>
        gawk -i inplace '{print}' a b => file a, file b
        gawk -i inplace -v INPLACE_SUFFIX=.bak '{print}' a => file a
        awk '{print}' OFS=: a =>
        awk $p a =>
        awk '{s+=$1} END{print s}' a =>
        awk 'NR==1,/x/' a =>
        awk '$0 ~ /[/]x/ {print}' a =>
        awk 'BEGIN{x=\"unclosed}' a => ?code",
    );
}

#[test]
fn perl() {
    check(
        "perl -pi -e s/a/b/ a => file a
        perl -i -pe 's/a/b/g' a b => file a, file b
        perl -i.bak -pe 's/a/b/' a => entry a.bak, file a
        perl -0777 -i -pe 's/a/b/gs' a => file a
        perl -0pi -e 's/a/b/gs' a => file a
        perl -pe 's/a/b/' a =>
        perl -lne 'print if /x/' a =>
        perl -ne 'print unless /x/i' a =>
        perl -pi -e 's/a/`id`/e' a => ?code, file a
        perl -pe 's/a/b/; system(\"rm x\")' a => ?code
        perl -pe 's/(?{unlink})a/b/' a => ?code
        perl -e 'print 1' => ?code
        perl -ne 'print `rm x`' a => ?code
        perl x.pl => ?program
        perl => ?code
        perl -v =>
        perl -pi -e s/a/b/ $f => ?path
        perl -pi -e 's{a}{b}' a => ?code, file a",
    );
}
