ALTER TABLE {context}.interventions ADD COLUMN address text
---
ALTER TABLE {context}.interventions ADD COLUMN agent text
