ALTER TABLE {context}_interventions ADD COLUMN address TEXT
---
ALTER TABLE {context}_interventions ADD COLUMN agent TEXT
