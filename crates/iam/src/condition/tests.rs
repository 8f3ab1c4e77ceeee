use serde_json::json;

use super::*;

const TRUE: Option<Ternary> = Some(Ternary::True);
const FALSE: Option<Ternary> = Some(Ternary::False);
const UNKNOWN: Option<Ternary> = Some(Ternary::Unknown);
const UNDEFINED: Option<Ternary> = None;

fn context() -> Context {
    let mut context = Context::default();
    for (key, value) in [
        ("k:Text", "Prod"),
        ("k:Star", "*"),
        ("k:Empty", ""),
        ("k:Number", "10"),
        ("k:Date", "2026-11-22T09:30:00Z"),
        ("k:Bool", "True"),
        ("k:Bytes", "AQID"),
        ("k:V4", "203.0.113.17"),
        ("k:V6", "2001:db8::1"),
        ("k:Arn", "arn:aws:sns:us-east-1:111122223333:a:b"),
        ("k:Bad", "not a number"),
    ] {
        context.insert_one(key, value);
    }
    let list = |values: &[&str]| ContextValue::Many(values.iter().map(|&v| v.into()).collect());
    context.insert("k:Many", list(&["Env", "Team"]));
    context.insert("k:Single", list(&["Env"]));
    context.insert("k:Blank", list(&[""]));
    context.insert("k:BlankAndEnv", list(&["", "Env"]));
    context.insert("k:Numbers", list(&["1", "20"]));
    context.insert("k:Mixed", list(&["1", "x"]));
    context.insert("k:Unknown", ContextValue::Unknown);
    context
}

fn check(table: &[(&str, &str, Value, Option<Ternary>)]) {
    for (operator, key, values, expected) in table {
        let clause = Clause::parse(operator, key, values, true);
        assert_eq!(
            clause.holds(&context()),
            *expected,
            "{operator} {key} {values}"
        );
    }
}

#[test]
fn every_operator_compares_its_type() {
    check(&[
        ("StringEquals", "k:Text", json!("Prod"), TRUE),
        ("StringEquals", "k:Text", json!("prod"), FALSE),
        ("StringEquals", "k:Text", json!("P*"), FALSE),
        ("StringEquals", "K:TEXT", json!(["x", "Prod"]), TRUE),
        ("stringequals", "k:Text", json!("Prod"), TRUE),
        ("StringNotEquals", "k:Text", json!(["x", "Prod"]), FALSE),
        ("StringEqualsIgnoreCase", "k:Text", json!("pROD"), TRUE),
        ("StringNotEqualsIgnoreCase", "k:Text", json!("pROD"), FALSE),
        ("StringLike", "k:Text", json!("P?o*"), TRUE),
        ("StringNotLike", "k:Text", json!("P?o*"), FALSE),
        ("NumericEquals", "k:Number", json!(10), TRUE),
        ("NumericEquals", "k:Number", json!("10.0"), TRUE),
        ("NumericNotEquals", "k:Number", json!([9, 10]), FALSE),
        ("NumericLessThan", "k:Number", json!(9), FALSE),
        ("NumericLessThan", "k:Number", json!([9, 11]), TRUE),
        ("NumericLessThanEquals", "k:Number", json!("10"), TRUE),
        ("NumericGreaterThan", "k:Number", json!("9.5"), TRUE),
        ("NumericGreaterThanEquals", "k:Number", json!("10.5"), FALSE),
        ("DateEquals", "k:Date", json!(1_795_339_800), TRUE),
        (
            "DateNotEquals",
            "k:Date",
            json!("2026-11-22T18:30:00+09:00"),
            FALSE,
        ),
        ("DateLessThan", "k:Date", json!("2026-12"), TRUE),
        ("DateLessThanEquals", "k:Date", json!("2026-11-22"), FALSE),
        ("DateGreaterThan", "k:Date", json!("2026-11-22"), TRUE),
        (
            "DateGreaterThanEquals",
            "k:Date",
            json!("2026-11-22T09:30Z"),
            TRUE,
        ),
        ("Bool", "k:Bool", json!(true), TRUE),
        ("Bool", "k:Bool", json!("FALSE"), FALSE),
        ("BinaryEquals", "k:Bytes", json!("AQID"), TRUE),
        ("BinaryEquals", "k:Bytes", json!("AQIE"), FALSE),
        (
            "IpAddress",
            "k:V4",
            json!(["10.0.0.0/8", "203.0.113.0/24"]),
            TRUE,
        ),
        ("IpAddress", "k:V4", json!("203.0.113.17"), TRUE),
        ("IpAddress", "k:V4", json!("::/0"), FALSE),
        ("NotIpAddress", "k:V4", json!("::/0"), TRUE),
        ("IpAddress", "k:V6", json!("2001:DB8::/32"), TRUE),
        ("IpAddress", "k:V6", json!("0.0.0.0/0"), FALSE),
        (
            "ArnEquals",
            "k:Arn",
            json!("arn:aws:sns:*:111122223333:a:*"),
            TRUE,
        ),
        (
            "ArnLike",
            "k:Arn",
            json!("arn:aws:sns:us*3333:a:b:c"),
            FALSE,
        ),
        ("ArnNotEquals", "k:Arn", json!("arn:*:*:*:*:*"), FALSE),
        ("ArnNotLike", "k:Arn", json!("arn:aws:s3:*:*:*"), TRUE),
        ("Null", "k:Text", json!("false"), TRUE),
        ("Null", "k:Text", json!(true), FALSE),
        ("Null", "k:Many", json!("True"), FALSE),
        ("Null", "k:None", json!("TRUE"), TRUE),
    ]);
}

#[test]
fn absent_keys_follow_the_table() {
    check(&[
        ("StringEquals", "k:None", json!("x"), FALSE),
        ("NumericLessThan", "k:None", json!(1), FALSE),
        ("StringNotEquals", "k:None", json!("x"), TRUE),
        ("NotIpAddress", "k:None", json!("10.0.0.0/8"), TRUE),
        ("NumericNotEquals", "k:None", json!(1), TRUE),
        ("StringEqualsIfExists", "k:None", json!("x"), TRUE),
        ("StringNotEqualsIfExists", "k:None", json!("x"), TRUE),
        ("StringEqualsIfExists", "k:Text", json!("x"), FALSE),
        ("ForAllValues:StringEquals", "k:None", json!("x"), TRUE),
        ("ForAllValues:StringNotEquals", "k:None", json!("x"), TRUE),
        ("ForAnyValue:StringEquals", "k:None", json!("x"), FALSE),
        ("ForAnyValue:StringNotEquals", "k:None", json!("x"), FALSE),
        (
            "ForAnyValue:StringEqualsIfExists",
            "k:None",
            json!("x"),
            TRUE,
        ),
        (
            "ForAnyValue:StringNotLikeIfExists",
            "k:None",
            json!("x"),
            TRUE,
        ),
    ]);
}

#[test]
fn set_operators_count_each_value() {
    check(&[
        (
            "ForAllValues:StringEquals",
            "k:Many",
            json!(["Env", "Team", "X"]),
            TRUE,
        ),
        ("ForAllValues:StringEquals", "k:Many", json!("Env"), FALSE),
        (
            "ForAllValues:StringNotEquals",
            "k:Many",
            json!("Env"),
            FALSE,
        ),
        ("ForAllValues:StringNotEquals", "k:Many", json!("X"), TRUE),
        ("ForAnyValue:StringEquals", "k:Many", json!("Env"), TRUE),
        ("ForAnyValue:StringNotEquals", "k:Many", json!("Env"), TRUE),
        (
            "ForAnyValue:StringNotEquals",
            "k:Many",
            json!(["Env", "Team"]),
            FALSE,
        ),
        ("foranyvalue:stringlike", "k:Many", json!("T*"), TRUE),
        ("ForAnyValue:StringEquals", "k:Text", json!("Prod"), TRUE),
        ("ForAllValues:StringEquals", "k:Blank", json!("x"), TRUE),
        ("ForAnyValue:StringEquals", "k:Blank", json!(""), FALSE),
        ("ForAnyValue:StringNotEquals", "k:Blank", json!("x"), FALSE),
        (
            "ForAllValues:StringEquals",
            "k:BlankAndEnv",
            json!("Env"),
            TRUE,
        ),
        (
            "ForAnyValue:NumericGreaterThan",
            "k:Numbers",
            json!(10),
            TRUE,
        ),
        (
            "ForAllValues:NumericGreaterThan",
            "k:Numbers",
            json!(10),
            FALSE,
        ),
        ("StringEquals", "k:Empty", json!(""), TRUE),
    ]);
}

#[test]
fn unknown_keys_make_everything_unknown() {
    check(&[
        ("StringEquals", "k:Unknown", json!("x"), UNKNOWN),
        ("StringNotEquals", "k:Unknown", json!("x"), UNKNOWN),
        ("NumericEqualsIfExists", "k:Unknown", json!(0), UNKNOWN),
        ("Null", "k:Unknown", json!(true), UNKNOWN),
        ("Null", "k:Unknown", json!(false), UNKNOWN),
        ("ForAllValues:StringLike", "k:Unknown", json!("*"), UNKNOWN),
        (
            "ForAnyValue:StringLikeIfExists",
            "k:Unknown",
            json!("*"),
            UNKNOWN,
        ),
        ("StringEquals", "k:Text", json!("${k:Unknown}"), UNKNOWN),
        ("StringNotEquals", "k:Text", json!("${k:Unknown}"), UNKNOWN),
        (
            "StringEquals",
            "k:Text",
            json!("${k:Unknown, 'Prod'}"),
            UNKNOWN,
        ),
        (
            "StringEquals",
            "k:Text",
            json!(["${k:Unknown}", "Prod"]),
            TRUE,
        ),
        (
            "StringNotEquals",
            "k:Text",
            json!(["${k:Unknown}", "Prod"]),
            FALSE,
        ),
        ("StringEquals", "k:None", json!("${k:Unknown}"), FALSE),
        (
            "StringEquals",
            "k:Text",
            json!("${k:Unknown}${k:None}"),
            FALSE,
        ),
    ]);
}

#[test]
fn what_is_not_defined_stays_undefined() {
    check(&[
        ("StringEquals", "k:Many", json!("Env"), UNDEFINED),
        ("StringNotEquals", "k:Single", json!("Env"), UNDEFINED),
        ("StringEqualsIfExists", "k:Many", json!("Env"), UNDEFINED),
        (
            "ForAnyValue:StringEqualsIfExists",
            "k:Blank",
            json!("x"),
            UNDEFINED,
        ),
        ("NumericEquals", "k:Number", json!("ten"), UNDEFINED),
        ("NumericEquals", "k:Number", json!(["10", "ten"]), UNDEFINED),
        ("NumericEquals", "k:None", json!("ten"), UNDEFINED),
        ("NumericNotEquals", "k:Bad", json!(1), UNDEFINED),
        ("ForAllValues:NumericEquals", "k:Mixed", json!(1), UNDEFINED),
        ("DateEquals", "k:Date", json!("2026"), UNDEFINED),
        ("DateEquals", "k:Date", json!("yesterday"), UNDEFINED),
        ("Bool", "k:Bool", json!("yes"), UNDEFINED),
        ("Bool", "k:Text", json!("true"), UNDEFINED),
        ("BinaryEquals", "k:Bytes", json!("A"), UNDEFINED),
        ("IpAddress", "k:V6", json!("2001:db8::1"), UNDEFINED),
        ("IpAddress", "k:V4", json!("203.0.113.*"), UNDEFINED),
        ("IpAddress", "k:Text", json!("10.0.0.0/8"), UNDEFINED),
        ("ArnLike", "k:Arn", json!("arn:aws:sns:*"), UNDEFINED),
        ("ArnLike", "k:Arn", json!("*"), UNDEFINED),
        ("ArnEquals", "k:Text", json!("arn:*:*:*:*:*"), UNDEFINED),
        (
            "ArnLike",
            "k:Arn",
            json!("arn:aws:sns:${k:None}:*:*"),
            UNDEFINED,
        ),
        ("NumericEquals", "k:Number", json!("${k:Number}"), UNDEFINED),
        ("DateEquals", "k:Date", json!("${k:Date}"), UNDEFINED),
        ("Bool", "k:Bool", json!("${k:Bool}"), UNDEFINED),
        ("BinaryEquals", "k:Bytes", json!("${k:Bytes}"), UNDEFINED),
        ("IpAddress", "k:V4", json!("${k:V4}"), UNDEFINED),
        ("Null", "k:Text", json!("${k:Bool}"), UNDEFINED),
        ("StringEquals", "k:Text", json!("${k:Text"), UNDEFINED),
        ("StringEquals", "k:Text", json!([]), UNDEFINED),
        ("StringEquals", "k:Text", json!(null), UNDEFINED),
        ("StringEquals", "k:Text", json!({"a": "b"}), UNDEFINED),
        ("StringEquals", "k:Text", json!([["Prod"]]), UNDEFINED),
        ("StringMatches", "k:Text", json!("Prod"), UNDEFINED),
        ("", "k:Text", json!("Prod"), UNDEFINED),
        ("IfExists", "k:Text", json!("Prod"), UNDEFINED),
        ("NullIfExists", "k:Text", json!("false"), UNDEFINED),
        ("ForAllValues:Null", "k:Text", json!("false"), UNDEFINED),
        (
            "ForSomeValues:StringEquals",
            "k:Text",
            json!("Prod"),
            UNDEFINED,
        ),
        ("BoolNotEquals", "k:Bool", json!("true"), UNDEFINED),
    ]);
}

#[test]
fn variables_are_put_in_as_literal_text() {
    check(&[
        ("StringEquals", "k:Text", json!("${k:Text}"), TRUE),
        ("StringEquals", "k:Text", json!("${K:TEXT}"), TRUE),
        ("StringLike", "k:Text", json!("${k:Star}"), FALSE),
        ("StringLike", "k:Star", json!("${k:Star}"), TRUE),
        ("StringLike", "k:Star", json!("${*}"), TRUE),
        ("StringLike", "k:Text", json!("P${*}"), FALSE),
        ("StringEquals", "k:Text", json!("${k:None, 'Prod'}"), TRUE),
        ("StringEquals", "k:Text", json!("${k:Many, 'Prod'}"), TRUE),
        ("StringLike", "k:Text", json!("${k:None, '*'}"), FALSE),
        ("StringEquals", "k:Text", json!("${k:None}"), FALSE),
        ("StringEquals", "k:Text", json!("${k:Many}"), FALSE),
        ("StringNotEquals", "k:Text", json!("${k:None}"), TRUE),
        (
            "StringNotLike",
            "k:Text",
            json!(["${k:None}", "Prod"]),
            FALSE,
        ),
        (
            "ArnLike",
            "k:Arn",
            json!("arn:aws:sns:*:*:a:${k:None, 'b'}"),
            TRUE,
        ),
        (
            "ArnNotLike",
            "k:Arn",
            json!("arn:aws:sns:*:*:${k:None}"),
            TRUE,
        ),
    ]);
}

#[test]
fn without_version_2012_a_variable_is_text() {
    let clause = Clause::parse("StringEquals", "k:Text", &json!("${k:Text}"), false);
    assert_eq!(clause.holds(&context()), FALSE);
    let clause = Clause::parse("StringNotEquals", "k:Text", &json!("${k:Text"), false);
    assert_eq!(clause.holds(&context()), TRUE);
}
