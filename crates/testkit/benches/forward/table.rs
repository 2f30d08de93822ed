//! The table at the end.

#[derive(Default)]
pub(crate) struct Table(Vec<Row>);

struct Row {
    name: String,
    value: f64,
    unit: &'static str,
    /// At most.
    target: Option<f64>,
}

impl Table {
    pub(crate) fn note(&mut self, name: impl Into<String>, value: f64, unit: &'static str) {
        self.push(Row { name: name.into(), value, unit, target: None });
    }

    pub(crate) fn judge(&mut self, name: impl Into<String>, value: f64, unit: &'static str, target: f64) {
        self.push(Row { name: name.into(), value, unit, target: Some(target) });
    }

    fn push(&mut self, row: Row) {
        eprintln!("{}: {:.3} {}", row.name, row.value, row.unit);
        self.0.push(row);
    }

    pub(crate) fn print(&self) {
        println!("{:<62}{:>10}  {:<18}{:>8}", "what", "value", "unit", "at most");
        for Row { name, value, unit, target } in &self.0 {
            let digits = if *value < 100.0 { 2 } else { 0 };
            let (bound, verdict) = match target {
                Some(target) if value <= target => (target.to_string(), "  holds"),
                Some(target) => (target.to_string(), "  MISSED"),
                None => (String::new(), ""),
            };
            println!("{name:<62}{value:>10.digits$}  {unit:<18}{bound:>8}{verdict}");
        }
    }
}
