//! Rules that every SQL text of the crate keeps, because two engines run it.

use std::fs;
use std::path::Path;

use crate::site::{files, on_each_engine};

/// The SQL texts in the sources: string literals that begin with a verb.
fn statements() -> Vec<String> {
    let mut found = Vec::new();
    for path in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let source = fs::read_to_string(&path).unwrap();
        let code: String = source
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .flat_map(|line| [line, "\n"])
            .collect();
        let code = code.split("#[cfg(test)]").next().unwrap_or_default();
        // Between quotes; no statement holds an escaped one.
        for literal in code.split('"').skip(1).step_by(2) {
            let joined: Vec<&str> = literal
                .split("\\\n")
                .map(|line| line.trim_start_matches([' ', '\n']))
                .collect();
            let text = joined.concat();
            let verb = text.split(' ').next().unwrap_or_default();
            if ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"].contains(&verb)
                && text.contains(' ')
            {
                found.push(text);
            }
        }
    }
    assert!(
        found.len() > 60,
        "only {} statements are found",
        found.len()
    );
    found
}

/// The numbers of the parameters, as they stand in the text.
fn parameters(sql: &str) -> Vec<usize> {
    sql.split('$')
        .skip(1)
        .map(|rest| {
            let end = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            rest[..end].parse().unwrap()
        })
        .collect()
}

#[test]
fn parameters_are_numbered_in_order_of_first_use() {
    for sql in statements() {
        let mut highest = 0;
        for n in parameters(&sql) {
            assert!(n <= highest + 1, "${n} comes too early in: {sql}");
            highest = highest.max(n);
        }
    }
}

#[test]
fn only_what_both_engines_take_alike_is_used() {
    for sql in statements() {
        for word in [
            " LIKE ",
            " ILIKE ",
            " GLOB ",
            " REPLACE ",
            "AUTOINCREMENT",
            "::",
            "now()",
        ] {
            assert!(!sql.contains(word), "'{word}' in: {sql}");
        }
    }
}

#[test]
fn every_statement_is_understood_by_both_engines() {
    on_each_engine(|site| async move {
        drop(site.open().await);
        // Those that name a `pg_` function are for PostgreSQL alone.
        let common = statements().into_iter().filter(|sql| !sql.contains("pg_"));
        match site.postgres().await {
            Some(client) => {
                for sql in common {
                    let statement = client.prepare(&sql).await.unwrap_or_else(|e| {
                        panic!("{e}: {sql}");
                    });
                    let count = parameters(&sql).into_iter().max().unwrap_or(0);
                    assert_eq!(statement.params().len(), count, "{sql}");
                }
            }
            None => {
                let database = site.data().join("bonded.db");
                let connection = rusqlite::Connection::open(database).unwrap();
                for sql in common {
                    let statement = connection.prepare(&sql).unwrap_or_else(|e| {
                        panic!("{e}: {sql}");
                    });
                    let count = parameters(&sql).into_iter().max().unwrap_or(0);
                    assert_eq!(statement.parameter_count(), count, "{sql}");
                }
            }
        }
    });
}
