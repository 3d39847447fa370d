"""Supabase, embedded or hosted."""
