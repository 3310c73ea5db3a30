//! Programs that run others.

use super::check;

#[test]
fn wrappers() {
    check(
        "env =>
        env rm a => run[rm a]
        env A=1 B=$x rm a => run[A=1 B=… rm a]
        env -i PATH=/bin rm a => run[PATH=/bin rm a]
        env -u A rm a => run[rm a]
        env -C web rm x => run[rm x]@web
        env -S 'rm a' => sh[rm a]
        env A=1 =>
        env $x => run[…]
        sudo rm a => run[rm a]
        sudo -u me -E A=1 rm -rf a => run[A=1 rm -rf a]
        sudo -n -- rm a => run[rm a]
        sudo -l =>
        sudo -k rm a => run[rm a]
        sudo -i => stdin[]
        sudo -s rm a => run[rm a]
        doas -u root rm a => run[rm a]
        nohup rm a => run[rm a]
        nice -n 5 rm a => run[rm a]
        nice -5 rm a => run[rm a]
        timeout 5 rm -rf a => run[rm -rf a]
        timeout -k 1 -s KILL 5 rm a => run[rm a]
        timeout --signal=KILL 5 rm a => run[rm a]
        time -o t.txt rm a => file t.txt, run[rm a]
        stdbuf -oL rm a => run[rm a]
        stdbuf -o L rm a => run[rm a]
        setsid -f rm a => run[rm a]
        strace -f -o t.txt rm a => file t.txt, run[rm a]
        flock l rm a => run[rm a]
        flock -n l -c 'rm a' => sh[rm a]
        su -c 'rm a' => sh[rm a]
        su - me -c 'rm a' => sh[rm a]
        watch -n 5 git status => sh[git status]
        watch 'ls > x' => sh[ls > x]
        script -c 'rm a' t.txt => sh[rm a], file t.txt
        script -q /dev/null rm a => file /dev/null, run[rm a]
        busybox rm a => run[rm a]
        npx prettier --write a => run[prettier --write a]
        npx -y prettier@3 --write a => run[prettier@3 --write a]
        npx -p x y z => run[y z]
        npx -c 'rm a' => sh[rm a]
        pnpm exec eslint . => run[eslint .]
        npm exec -- eslint . => run[eslint .]
        yarn dlx prettier a => run[prettier a]
        bunx prettier a => run[prettier a]
        uv run black a => run[black a]
        uv run --with x python y.py => run[python y.py]
        uvx ruff check => run[ruff check]
        uvx --from x y => run[y]
        poetry run black a => run[black a]
        pipx run black a => run[black a]
        bundle exec rubocop -a => run[rubocop -a]
        ssh host rm a =>
        ssh host $cmd =>
        comm-node lock a =>
        docker exec c rm a =>
        kubectl exec p -- rm a =>
        docker run -v .:/x i rm a => ?program
        docker cp c:/x web => file web/x
        docker cp a c:/x =>
        docker compose -f x.yml ps =>
        docker compose up -d => ?program",
    );
}

#[test]
fn shells() {
    check(
        "bash -c 'rm a' => sh[rm a]
        bash -c 'rm $1' _ a => sh[rm $1 | _ a]
        bash -lc 'rm a' => sh[rm a]
        bash -l -c 'rm a' => sh[rm a]
        bash -c -e 'rm a' => sh[rm a]
        bash -euxo pipefail -c 'rm a' => sh[rm a]
        bash -o pipefail -c 'rm a' => sh[rm a]
        bash --norc -c 'rm a' => sh[rm a]
        bash --rcfile x -c 'rm a' => sh[rm a]
        sh -c $x => sh[…]
        sh -c => 
        zsh -c 'rm a' => sh[rm a]
        /bin/sh -c 'rm a' => sh[rm a]
        bash x.sh => ?script
        bash -x x.sh a => ?script
        bash ./x.sh => ?script
        bash -n x.sh =>
        bash => stdin[]
        bash - => stdin[]
        bash -s => stdin[]
        bash -s -- a b => stdin[a b]
        bash -e => stdin[]
        bash /dev/stdin a => stdin[a]
        bash --version =>
        bash $x => ?script
        fish -c 'rm a' => ?program",
    );
}

#[test]
fn xargs() {
    check(
        "xargs =>
        xargs rm => maybe run[rm …]
        xargs -0 rm -f => maybe run[rm -f …]
        xargs -n 1 -P 4 rm => maybe run[rm …]
        xargs -n1 -P4 rm => maybe run[rm …]
        xargs -I{} mv {} web => maybe run[mv … web]
        xargs -I {} mv {} web/{}.x => maybe run[mv … web/…]
        xargs -I % sh -c 'rm %' => maybe run[sh -c rm …]
        xargs --replace mv {} x => maybe run[mv … x]
        xargs -i mv {} x => maybe run[mv … x]
        xargs -a list rm => maybe run[rm …]
        xargs -r grep x => maybe run[grep x …]
        xargs --max-args=1 rm => maybe run[rm …]
        xargs $x => maybe run[… …]",
    );
}

#[test]
fn searches() {
    check(
        "find . -name '*.rs' =>
        find web -type f -printf '%p' =>
        find . -name -delete =>
        find web -name '*.tmp' -delete => maybe under web
        find -delete => maybe under .
        find web src -delete => maybe under web, maybe under src
        find web -exec rm {} ';' => maybe under web
        find web -exec rm -f {} + => maybe under web
        find web -exec sudo nice rm {} + => maybe under web
        find web -exec env A=1 rm {} + => maybe run[A=1 rm web/…]
        find web -exec cp {} dist/ ';' => maybe under dist
        find web -exec cp a dist/ ';' => maybe file dist/a
        find web -exec frob {} ';' => ?program
        find $d -exec rm {} + => ?path
        find web/$d -exec rm {} + => maybe under web/…
        find web -exec $x {} ';' => ?name
        find web src -exec rm {} + => maybe under web, maybe under src
        find . -exec grep -l x {} + =>
        find web -exec mv {} {}.bak ';' => maybe under web, maybe under web
        find web -execdir rm {} ';' => maybe under web
        find web -execdir touch x ';' => maybe under web
        find web -execdir touch /x ';' => maybe file /x
        find . -exec sh -c 'rm $1' _ {} ';' => sh[rm $1 | _ ./…]
        find . -exec sh -c 'rm {}' ';' => sh[rm ./…]
        find web -exec echo {} ';' -delete => maybe under web
        find -L web -ok rm {} ';' => maybe under web
        find web '(' -name a -o -name b ')' -exec rm {} ';' => maybe under web
        find . -fprint out => file out
        find . -fprintf out '%p' => file out
        find . -fls out => file out
        find web -exec find {} -exec rm x ';' => maybe run[find web/… -exec rm x]
        find web -exec grep -x y {} ';' => maybe run[grep -x y web/…]
        find $d -delete => ?path
        find $d -name x =>
        find web/$d -delete => maybe under web/…
        find . -newer a -exec true ';' =>
        fd x =>
        fd -e rs =>
        fd -e rs . web -x rm => maybe under web
        fd x -x rm => maybe under .
        fd x web -X rm -f {} => maybe under web
        fd x --exec mv {} {.}.bak => maybe under ., maybe under .
        fd x --exec cp {} dist/{/} => maybe under dist
        rg x =>
        rg --pre cat x => ?program
        rg -n x $f =>
        rg --files -g '*.rs' =>",
    );
}

#[test]
fn interpreters() {
    check(
        "python x.py => ?program
        python3 -c 'print(1)' => ?code
        python3 - => ?code
        python3 => ?code
        python --version =>
        python -V =>
        python3.12 x.py => ?program
        python -m black a => run[black a]
        python -m json.tool a => run[json.tool a]
        python -m json.tool a b => run[json.tool a b]
        json.tool a b => file b
        json.tool a =>
        python -m pytest -q => ?program
        python -m venv .venv => run[venv .venv]
        venv .venv => under .venv
        python -W ignore -m isort --check a => run[isort --check a]
        python -m http.server 80 => run[http.server 80]
        node x.js => ?program
        node -e 'x' => ?code
        node -p 1+1 => ?code
        node --version =>
        node -v =>
        node --check x.js =>
        node => ?code
        ruby -v =>
        ruby -v x.rb => ?program
        ruby -e x => ?code
        ruby -i -pe '$_.upcase!' a => ?code, file a
        ruby x.rb => ?program
        php -r x => ?code
        php x.php => ?program
        deno run x.ts => ?program
        python x.py --help => ?program
        node --help =>
        bash x.sh --help => ?script
        go run x.go --help => ?program
        deno run --help x.ts => ?program
        perl -pe 's/a/b/' -i a => file a
        ./script.sh => ?program
        ./node_modules/.bin/prettier --write a => maybe file a
        /opt/tool/sed -i s/a/b/ a => ?program
        bin/ls => ?program
        sed.exe -i s/a/b/ a => file a
        unheard-of a => ?program
        unheard-of --version =>",
    );
}
