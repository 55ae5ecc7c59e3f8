-- The roles that the actor had: sorted, joined by commas.
ALTER TABLE {context}_receipts ADD COLUMN roles TEXT
---
ALTER TABLE {context}_interventions ADD COLUMN roles TEXT
