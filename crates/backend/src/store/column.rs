//! Between columns and our types.

use std::str::FromStr;

use sqlx::Row;
use sqlx::any::AnyRow;

use identity::UnixMillis;

use super::StoreError;

pub(super) fn text(row: &AnyRow, column: &'static str) -> Result<String, StoreError> {
    Ok(row.try_get(column)?)
}

pub(super) fn parsed<T: FromStr>(row: &AnyRow, column: &'static str) -> Result<T, StoreError> {
    text(row, column)?.parse().map_err(|_| malformed(column))
}

pub(super) fn number<T: TryFrom<i64>>(row: &AnyRow, column: &'static str) -> Result<T, StoreError> {
    let stored: i64 = row.try_get(column)?;
    T::try_from(stored).map_err(|_| malformed(column))
}

pub(super) fn time(row: &AnyRow, column: &'static str) -> Result<UnixMillis, StoreError> {
    number(row, column).map(UnixMillis)
}

pub(super) fn optional_time(row: &AnyRow, column: &'static str) -> Result<Option<UnixMillis>, StoreError> {
    let stored: Option<i64> = row.try_get(column)?;
    stored.map(|time| u64::try_from(time).map(UnixMillis).map_err(|_| malformed(column))).transpose()
}

pub(super) fn optional<T: FromStr>(row: &AnyRow, column: &'static str) -> Result<Option<T>, StoreError> {
    let stored: Option<String> = row.try_get(column)?;
    stored.map(|text| text.parse().map_err(|_| malformed(column))).transpose()
}

pub(super) fn malformed(column: &'static str) -> StoreError {
    StoreError::Corrupt(format!("malformed {column}"))
}

/// Returns the number as the store keeps it; what is beyond its range becomes its greatest.
pub(super) fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
