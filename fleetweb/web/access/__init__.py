"""Who gets in: the owner by token, household members by password, programs by bearer."""
