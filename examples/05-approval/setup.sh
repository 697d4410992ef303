#!/bin/sh
# Makes `repo`, a small git repository to release from: a tag v1.0.0 and four commits after it. Always the same commits, with
# the same ids. What was there before is replaced.
set -eu
cd "$(dirname "$0")"
rm -rf repo

# Nobody's own configuration, hooks or templates.
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 LC_ALL=C
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_COMMON_DIR 2>/dev/null || true
git init -q --template= --object-format=sha1 -b main repo
cd repo
git config user.name "Ada Marsh"
git config user.email "ada@example.com"

minute=0
now() {
    minute=$((minute + 1))
    GIT_AUTHOR_DATE="2026-03-02T10:0$minute:00Z"
    GIT_COMMITTER_DATE=$GIT_AUTHOR_DATE
    export GIT_AUTHOR_DATE GIT_COMMITTER_DATE
}
# commit FILE LINE MESSAGE
commit() {
    now
    printf '%s\n' "$2" >> "$1"
    git add "$1"
    git commit -q -m "$3"
}

commit README.md "# Acme site" "Begin the site"
commit index.html "<h1>Acme</h1>" "Add a start page"
now
git tag -a v1.0.0 -m "Release v1.0.0"
commit search.js "function search() {}" "Add search to every page"
commit index.html "<p>Prices include tax.</p>" "Say that prices include tax"
commit cart.js "let empty = true;" "Keep the cart when a visitor signs in"
commit search.js "// escapes what is typed" "Escape what visitors type into the search field"

echo "repo: $(git log --oneline v1.0.0..HEAD | wc -l | tr -d ' ') commits after v1.0.0, now at $(git rev-parse HEAD)"
