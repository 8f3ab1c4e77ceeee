//! An allowed request is decided without an allocation.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bonded_iam::{
    Context, ContextValue, Level, NamedPolicy, Outcome, Policies, Policy, Principal, Request,
    evaluate, evaluate_free,
};
use serde_json::{Value, json};

thread_local! {
    /// The allocations of this thread.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, counted.
struct Counting;

#[expect(
    unsafe_code,
    reason = "an allocator is unsafe; this one passes everything on"
)]
// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promise is the system allocator's too.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(mut run: impl FnMut()) -> u64 {
    let before = ALLOCATIONS.get();
    run();
    ALLOCATIONS.get() - before
}

/// A policy of as many statements as make it indexed, the last of which is `statement`.
fn policy(principal: bool, statement: Value) -> NamedPolicy {
    let mut statements: Vec<Value> = (0..50)
        .map(|n| {
            json!({
                "Effect": "Deny", "Action": ["ecr:Put*", "ecr:Batch*e"],
                "Resource": format!("arn:aws:ecr:*:*:repository/{n}/*")
            })
        })
        .collect();
    statements.push(statement);
    if principal {
        for statement in &mut statements {
            statement["Principal"] =
                json!({"AWS": ["111122223333", "arn:aws:iam::111122223333:role/ci"]});
        }
    }
    let document = json!({"Version": "2012-10-17", "Statement": statements});
    NamedPolicy {
        label: String::new(),
        policy: Policy::from_value(&document).unwrap(),
    }
}

fn request() -> Request {
    let mut context = Context::default();
    for (key, value) in [
        ("aws:CurrentTime", "2026-11-22T09:30:00.5+09:00"),
        ("aws:PrincipalTag/Team", "team-a"),
        ("aws:SecureTransport", "true"),
        ("aws:SourceIp", "2001:db8::1"),
        ("aws:SourceArn", "arn:aws:s3:::bucket"),
        ("k:Number", "-12.50"),
        ("k:Bytes", "AQID"),
        ("k:Name", "ÄPFEL"),
    ] {
        context.insert_one(key, value);
    }
    let tags = ["Env", "Team", ""].map(str::to_owned).to_vec();
    context.insert("aws:TagKeys", ContextValue::Many(tags));
    Request {
        principal: Principal::RoleSession {
            arn: "arn:aws:sts::111122223333:assumed-role/ci/run".to_owned(),
            role_arn: "arn:aws:iam::111122223333:role/ci".to_owned(),
            account: "111122223333".to_owned(),
            unique_id: Some("AROAEXAMPLEROLEID0001".to_owned()),
        },
        action: "ecr:BatchGetImage".to_owned(),
        resource: "arn:aws:ecr:us-east-1:444455556666:repository/team-a/api".to_owned(),
        resource_account: "444455556666".to_owned(),
        context,
    }
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(Box::new(1))), 1);
}

#[test]
fn an_allowed_request_is_decided_without_an_allocation() {
    // Every kind of pattern and of condition, in every layer.
    let allow = json!({
        "Effect": "Allow", "Action": ["s3:*", "ECR:batch*Image"],
        "Resource": ["arn:aws:ecr:eu-*", "arn:aws:ecr:*:444455556666:repository/${aws:PrincipalTag/Team}/*"],
        "Condition": {
            "StringEquals": {"aws:PrincipalTag/Team": ["x", "team-${k:None, 'a'}"]},
            "StringNotEqualsIgnoreCase": {"k:Name": "birnen"},
            "StringEqualsIgnoreCase": {"k:Name": "äpfel"},
            "StringLike": {"aws:PrincipalTag/Team": "t?am-*"},
            "NumericLessThan": {"k:Number": [-20, "-12.4"]},
            "DateLessThan": {"aws:CurrentTime": "2026-11-23"},
            "Bool": {"aws:SecureTransport": true},
            "BinaryEquals": {"k:Bytes": "AQID"},
            "IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "2001:db8::/32"]},
            "ArnLike": {"aws:SourceArn": "arn:aws:s3:::b*"},
            "Null": {"aws:TokenIssueTime": "true"},
            "ForAllValues:StringEquals": {"aws:TagKeys": ["Env", "Team"]},
            "ForAnyValue:StringLike": {"aws:TagKeys": "E*"},
            "StringEqualsIfExists": {"aws:username": "alice"},
        },
    });
    let implied = json!({"Effect": "Allow", "Action": "ecr:*"});
    let (own, trusted) = (policy(false, allow), policy(true, implied));
    let policies = Policies {
        identity: vec![&own],
        resource: vec![&trusted],
        boundary: Some(&own),
        session: Some(vec![&own]),
        service_control: vec![Level {
            name: "root",
            policies: vec![&own],
        }],
        resource_control: Vec::new(),
    };
    let request = request();
    for decide in [evaluate, evaluate_free] {
        let mut outcome = None;
        let count = allocations(|| outcome = Some(decide(&request, &policies).outcome));
        assert_eq!((outcome, count), (Some(Outcome::Allow), 0));
    }
}
