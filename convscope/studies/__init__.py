"""The lecture's claims, measured on a person's own data by ordinary trainings."""
