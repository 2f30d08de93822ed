-- Lines of the audit record are asked for by what they are about.

CREATE INDEX audit_of_subject ON audit (subject);
