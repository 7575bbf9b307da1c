"""Each role against each action."""

from __future__ import annotations

from itertools import product

import pytest

from app.domain.person import Person, Role
from app.domain.problem import ProblemError
from app.security.accounts import Action, may, require

A = Action
READING = {A.VIEW, A.IMPORT, A.MARK, A.COMMIT, A.VERDICT, A.EDIT_REPORT, A.SIGN, A.RETRY_SENDING, A.EXPORT}
WANTED = {
    Role.VIEWER: {A.VIEW},
    Role.TECHNICIAN: {A.VIEW, A.IMPORT, A.RETRY_SENDING},
    Role.RADIOLOGIST: READING,
    Role.SENIOR: READING | {A.AMEND, A.READ_AUDIT},
    Role.ADMIN: {A.CONFIGURE, A.MANAGE_PEOPLE, A.RETRY_SENDING},
    Role.AUDITOR: {A.READ_AUDIT},
}


@pytest.mark.parametrize(("role", "action"), list(product(Role, Action)))
def test_every_role_and_action(role: Role, action: Action) -> None:
    person = Person("p", "Асанова Әлия", role)
    assert may(person, action) is (action in WANTED[role])
    if may(person, action):
        require(person, action)
        return
    with pytest.raises(ProblemError) as caught:
        require(person, action)
    assert caught.value.problem.code == "account.not_allowed"
    assert "Асанова" not in str(caught.value)
