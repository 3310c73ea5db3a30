//! Archives, the network, formatters, compilers and package managers.

use super::{check, run_with};

#[test]
fn archives() {
    check(
        "tar -xzf a.tgz => maybe under .
        tar xzf a.tgz => maybe under .
        tar xf a.tar -C web => maybe under web
        tar -C web -xf a.tar => maybe under web
        tar xfC a.tar web => maybe under web
        tar --extract --file=a.tar --directory=web => maybe under web
        tar -xOf a.tar =>
        tar -tzf a.tgz =>
        tar tf a.tar =>
        tar -czf a.tgz web => file a.tgz
        tar czf a.tgz web => file a.tgz
        tar cf - web =>
        tar -cf a.tar --remove-files web a => file a.tar, under web, entry a
        tar -c -f a.tar -C web . => file a.tar
        tar rf a.tar a => file a.tar
        tar xf $f => maybe under .
        tar xf a.tar -C $d => ?path
        tar -I zstd -xf a.tar.zst => maybe under .
        tar xbf 20 a.tar => maybe under .
        tar $opts a.tar => ?path
        tar --checkpoint-action=exec=sh -cf a.tar a => ?program, file a.tar
        unzip a.zip => maybe under .
        unzip -o a.zip -d web => maybe under web
        unzip -l a.zip =>
        unzip -p a.zip x =>
        zip -r x.zip web => file x.zip
        zip -r x web => file x.zip
        zip -rm x.zip web => file x.zip, under web
        zip -q - a =>
        gzip a => entry a, file a.gz
        gzip -k a => file a.gz
        gzip -c a =>
        gunzip a.gz => entry a.gz, file a
        gzip -d a.gz => entry a.gz, file a
        gunzip x.tgz => entry x.tgz, file x.tar
        gzip -r web => maybe under web
        bzip2 a => entry a, file a.bz2
        xz -9 a => entry a, file a.xz
        zstd a => file a.zst
        zstd --rm a => entry a, file a.zst
        zstd a -o b => file b
        zcat a.gz =>
        7z x a.7z -oweb => maybe under web
        7z a x.7z web => file x.7z
        7z l x.7z =>
        ar rcs lib.a x.o => ?program
        ar t lib.a =>
        cpio -idm => maybe under .
        cpio -o =>",
    );
}

#[test]
fn network() {
    check(
        "curl https://e.org/a =>
        curl -o x https://e.org/a => file x
        curl -sSLo x https://e.org/a => file x
        curl -sSL https://e.org/a -o web/x => file web/x
        curl -O https://e.org/d/a.tgz => file a.tgz
        curl -LO 'https://e.org/d/a.tgz?x=1/2' => file a.tgz
        curl -O https://e.org/d/a --output-dir web => file web/a
        curl -O $url => ?path
        curl -o - https://e.org/a =>
        curl -o /dev/null -w '%{http_code}' https://e.org => file /dev/null
        curl -X POST -d x=1 -H 'A: b' https://e.org =>
        curl -d @a -D headers https://e.org => file headers
        wget https://e.org/d/a.tgz => file a.tgz
        wget https://e.org => file index.html
        wget -O x https://e.org/a => file x
        wget -qO- https://e.org/a =>
        wget -P web https://e.org/a => file web/a
        wget -r https://e.org => maybe under .
        scp a host:b =>
        scp host:a . => file a
        scp -r host:d new => under new
        rsync -a src/ dist/ => under dist/
        rsync -av --delete src/ host:/x =>
        rsync -n -a src/ dist/ =>
        rsync a b => file b
        rsync -a --exclude x src dist => under dist/src
        rsync -a src/ new => under new
        rsync -a a web => file web/a
        rsync -aR src/a.rs web => under web",
    );
}

#[test]
fn formatters() {
    check(
        "prettier a =>
        prettier --check . =>
        prettier --write a => maybe file a
        prettier -w web => maybe under web
        prettier --write 'web/**/*.ts' => maybe under web
        prettier --config x --write a => maybe file a
        eslint . =>
        eslint --fix web => maybe under web
        eslint --fix => maybe under .
        eslint -o out . => file out
        eslint --ext .ts --fix web => maybe under web
        stylelint --fix web => maybe under web
        biome check --write web => maybe under web
        biome check web =>
        biome format --write => maybe under .
        black a => maybe file a
        black --check . =>
        black --diff a =>
        black -l 100 web => maybe under web
        isort a => maybe file a
        isort -c a =>
        ruff check =>
        ruff check --fix => maybe under .
        ruff check --fix web => maybe under web
        ruff format => maybe under .
        ruff format --check =>
        autopep8 -i a => maybe file a
        autopep8 a =>
        yapf -ir web => maybe under web
        gofmt -l . =>
        gofmt -w web => maybe under web
        gofmt -l -w a => maybe file a
        goimports -w a => maybe file a
        go fmt ./... => maybe under .
        go fmt => maybe under .
        cargo fmt => maybe under .
        cargo fmt --check =>
        cargo fmt --all -- --check =>
        cargo +nightly fmt => maybe under .
        cargo clippy => ?program
        cargo clippy --fix => maybe under ., ?program
        rustfmt a => maybe file a
        rustfmt --check a =>
        rustfmt +nightly a => maybe file a
        rustfmt --edition 2024 src/a.rs => maybe file src/a.rs
        clang-format a =>
        clang-format -i a b => maybe file a, maybe file b
        clang-format -style=file -i a => maybe file a
        clang-format-15 -i a => maybe file a
        shfmt -d a =>
        shfmt -w a => maybe file a
        shfmt -i 2 -w a => maybe file a
        terraform fmt => maybe under .
        terraform fmt -check =>
        terraform -chdir=web fmt => maybe under web
        dprint fmt => maybe under .
        swiftformat web => maybe under web
        ktlint -F web => maybe under web
        buf format -w => maybe under .
        buf format =>
        yq .a c.txt =>
        yq -i '.a = 1' c.txt => file c.txt
        yq eval -i .a c.txt => file c.txt
        jq . a =>
        jq $f a =>
        shellcheck a =>
        mypy . =>
        rubocop -a => maybe under .
        rubocop =>",
    );
}

#[test]
fn builds_and_packages() {
    check(
        "make => ?program
        make --version =>
        make -n =>
        cargo build => ?program
        cargo test -p x => ?program
        cargo tree =>
        cargo --version =>
        cargo metadata --no-deps =>
        cargo add serde => maybe file /r/w/Cargo.toml, maybe file /r/Cargo.lock
        cargo update => maybe file /r/Cargo.lock
        cargo new x => under x
        cargo xtask => ?program
        go build ./... => ?program
        go build -o x . => file x, ?program
        go vet ./... =>
        go version =>
        go mod tidy => maybe file go.mod, maybe file go.sum
        go -C web mod tidy => maybe file web/go.mod, maybe file web/go.sum
        npm ls =>
        npm test => ?program
        npm run build => ?program
        npm ci => ?program
        npm install => ?program
        npm install x => maybe file /r/w/package.json, ?program
        npm i -D x => maybe file /r/w/package.json, ?program
        npm install -g x =>
        npm --prefix web install x => maybe file /r/w/web/package.json, ?program
        npm version patch => maybe file /r/w/package.json, maybe file package-lock.json
        npm version =>
        npm audit =>
        npm audit fix => maybe file /r/w/package.json, ?program
        pnpm add x => maybe file /r/w/package.json, ?program
        yarn remove x => maybe file /r/w/package.json, ?program
        yarn => ?program
        pip install x => ?program
        pip3 list =>
        pytest -q => ?program
        tsc => ?program
        tsc --noEmit =>
        tsc -p . --noEmit =>
        webpack => ?program
        gcc -o x x.c => file x, ?program
        gcc -fno-common x.c => ?program
        rustc --version =>
        openssl req -x509 -keyout k.pem -out c.pem => file k.pem, file c.pem
        openssl version =>
        pandoc a -o b => file b
        base64 -d a =>
        vim -es -c wq a => ?code, maybe file a
        ed -s a => ?code, maybe file a
        gh pr list =>
        gh pr merge 5 =>
        gh pr merge -d 5 => maybe worktree .
        make -l 2 => ?program
        gcc -E x.c -o y => file y, ?program
        gh pr checkout 5 => worktree .
        gh api repos/x =>
        tmux ls =>
        tmux new => ?program
        hg status =>
        hg update => ?program
        aws s3 ls =>
        aws s3 cp s3://b/x . => file x
        aws s3 cp a s3://b/x =>
        shuf -o a b => file a
        black - =>",
    );
}

#[test]
fn readers() {
    check(
        "ls -la $d =>
        cat $f =>
        head -5 a =>
        tail -f a =>
        grep -rn x . =>
        grep $pattern a =>
        wc -l a =>
        diff a b =>
        stat a =>
        which ls =>
        ps aux =>
        date =>
        echo > =>
        printf x =>
        true =>
        test -f a =>
        [ -f a ] =>
        sleep 1 =>
        jq -r .x a =>
        tree =>
        md5sum a =>
        xxd a =>
        od -c a =>
        column -t a =>
        kill 1 =>
        lsof -i =>
        /bin/cat a =>
        cat.exe a =>",
    );
}

#[test]
fn rows_of_the_user() {
    let rows = [
        "mytool reads",
        "mygen -o,--output=FILE",
        "make gen FILE=out.rs",
        "make lint|check reads",
        "cat FILE",
    ];
    let run = |line| run_with(line, &rows, Some("/r/w"));
    assert_eq!(run("mytool a b"), "");
    assert_eq!(run("./mytool a"), "?program", "which file that is, its name doesn't tell");
    assert_eq!(run("mygen -o x y"), "file x");
    assert_eq!(run("mygen --output=x y"), "file x");
    assert_eq!(run("make gen"), "file out.rs");
    assert_eq!(run("make lint"), "");
    assert_eq!(run("make -C web check"), "");
    assert_eq!(run("make all"), "?program");
    assert_eq!(run("cat a"), "file a", "the user's row comes first");
}
