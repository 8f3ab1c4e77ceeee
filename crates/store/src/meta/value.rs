//! What goes into a statement and what comes out of one: [`Value`] and [`Row`].

use std::error::Error;
use std::str::FromStr;

use bonded_model::Timestamp;
use bytes::BytesMut;
use rusqlite::types::{ToSqlOutput, ValueRef};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_postgres::types::{IsNull, ToSql, Type};

use crate::error::{Result, StoreError};

/// The types both engines agree on. Booleans are 0 and 1, times are milliseconds since the epoch,
/// lists and maps are JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
    Null,
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Int(i64::from(value))
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Int(i64::from(value))
    }
}

impl From<Timestamp> for Value {
    fn from(value: Timestamp) -> Self {
        Self::Int(value.as_millis())
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<&String> for Value {
    fn from(value: &String) -> Self {
        Self::Text(value.clone())
    }
}

impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Self {
        Self::Bytes(value.to_owned())
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(value)
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Int(value) => ValueRef::Integer(*value),
            Self::Text(value) => ValueRef::Text(value.as_bytes()),
            Self::Bytes(value) => ValueRef::Blob(value),
            Self::Null => ValueRef::Null,
        }))
    }
}

impl ToSql for Value {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> std::result::Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Int(value) => value.to_sql_checked(ty, out),
            Self::Text(value) => value.to_sql_checked(ty, out),
            Self::Bytes(value) => value.to_sql_checked(ty, out),
            Self::Null => Ok(IsNull::Yes),
        }
    }

    fn accepts(ty: &Type) -> bool {
        [Type::INT8, Type::TEXT, Type::BYTEA].contains(ty)
    }

    tokio_postgres::types::to_sql_checked!();
}

/// One row of an answer. Its columns are taken from left to right, in the order the statement
/// names them, so that the reader of a joined row is the readers of its parts one after another.
#[derive(Debug)]
pub(crate) struct Row(std::vec::IntoIter<Value>);

impl Row {
    /// The row at `row`, of `columns` columns.
    pub(super) fn from_sqlite(row: &rusqlite::Row<'_>, columns: usize) -> Result<Self> {
        let mut values = Vec::with_capacity(columns);
        for column in 0..columns {
            let value = row.get_ref(column).map_err(super::sqlite::error)?;
            values.push(match value {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(value) => Value::Int(value),
                ValueRef::Text(text) => Value::Text(
                    String::from_utf8(text.to_owned())
                        .map_err(|_| malformed("a text that is not UTF-8"))?,
                ),
                ValueRef::Blob(bytes) => Value::Bytes(bytes.to_owned()),
                ValueRef::Real(_) => return Err(malformed("a floating-point number")),
            });
        }
        Ok(Self(values.into_iter()))
    }

    /// `row`, copied out of the driver's buffer.
    pub(super) fn from_postgres(row: &tokio_postgres::Row) -> Result<Self> {
        let mut values = Vec::with_capacity(row.len());
        for (i, column) in row.columns().iter().enumerate() {
            let read = match *column.type_() {
                Type::INT8 => row.try_get::<_, Option<i64>>(i).map(Value::from),
                Type::TEXT => row.try_get::<_, Option<String>>(i).map(Value::from),
                Type::BYTEA => row.try_get::<_, Option<Vec<u8>>>(i).map(Value::from),
                _ => return Err(malformed("a column of a type that is not used here")),
            };
            values.push(read.map_err(super::postgres::error)?);
        }
        Ok(Self(values.into_iter()))
    }

    /// What its columns are.
    pub(super) fn read<T: FromRow>(mut self) -> Result<T> {
        T::from_row(&mut self)
    }

    fn next(&mut self) -> Result<Value> {
        self.0.next().ok_or_else(|| malformed("too few columns"))
    }

    /// The next column, a text.
    pub(crate) fn text(&mut self) -> Result<String> {
        self.opt_text()?.ok_or_else(|| malformed("a missing text"))
    }

    /// The next column, a text or NULL.
    pub(crate) fn opt_text(&mut self) -> Result<Option<String>> {
        match self.next()? {
            Value::Text(text) => Ok(Some(text)),
            Value::Null => Ok(None),
            Value::Int(_) | Value::Bytes(_) => Err(malformed("a column that is not text")),
        }
    }

    /// The next column, a number.
    pub(crate) fn int(&mut self) -> Result<i64> {
        self.opt_int()?.ok_or_else(|| malformed("a missing number"))
    }

    /// The next column, a number or NULL.
    pub(crate) fn opt_int(&mut self) -> Result<Option<i64>> {
        match self.next()? {
            Value::Int(value) => Ok(Some(value)),
            Value::Null => Ok(None),
            Value::Text(_) | Value::Bytes(_) => Err(malformed("a column that is not a number")),
        }
    }

    /// The next column, a length or offset.
    pub(crate) fn size(&mut self) -> Result<u64> {
        u64::try_from(self.int()?).map_err(|_| malformed("a negative size"))
    }

    /// The next column, 0 or 1.
    pub(crate) fn boolean(&mut self) -> Result<bool> {
        Ok(self.int()? != 0)
    }

    /// The next column, milliseconds since the epoch.
    pub(crate) fn time(&mut self) -> Result<Timestamp> {
        self.int().map(Timestamp::from_millis)
    }

    /// The next column, bytes.
    pub(crate) fn bytes(&mut self) -> Result<Vec<u8>> {
        self.opt_bytes()?.ok_or_else(|| malformed("missing bytes"))
    }

    /// The next column, bytes or NULL.
    pub(crate) fn opt_bytes(&mut self) -> Result<Option<Vec<u8>>> {
        match self.next()? {
            Value::Bytes(bytes) => Ok(Some(bytes)),
            Value::Null => Ok(None),
            Value::Int(_) | Value::Text(_) => Err(malformed("a column that is not bytes")),
        }
    }

    /// The next column, bytes of a fixed length.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        <[u8; N]>::try_from(self.bytes()?).map_err(|_| malformed("bytes of a wrong length"))
    }

    /// The next column, a text that is a `T`.
    pub(crate) fn parse<T: FromStr<Err: Error>>(&mut self) -> Result<T> {
        let text = self.text()?;
        text.parse().map_err(|e: T::Err| malformed(&e.to_string()))
    }

    /// The next column, a JSON text that is a `T`.
    pub(crate) fn json<T: DeserializeOwned>(&mut self) -> Result<T> {
        serde_json::from_str(&self.text()?).map_err(|e| malformed(&e.to_string()))
    }
}

/// What the next columns of a row are.
pub(crate) trait FromRow: Sized {
    /// Takes its columns, in the order in which the statements name them.
    fn from_row(row: &mut Row) -> Result<Self>;
}

impl FromRow for String {
    fn from_row(row: &mut Row) -> Result<Self> {
        row.text()
    }
}

impl<A: FromRow, B: FromRow> FromRow for (A, B) {
    fn from_row(row: &mut Row) -> Result<Self> {
        Ok((A::from_row(row)?, B::from_row(row)?))
    }
}

/// `value` as the text of a JSON column.
pub(crate) fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|e| malformed(&e.to_string()))
}

/// A row does not hold what the schema promises.
pub(crate) fn malformed(what: &str) -> StoreError {
    StoreError::Corrupt(format!("a row holds {what}"))
}
