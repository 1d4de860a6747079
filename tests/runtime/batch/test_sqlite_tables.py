import sqlite3
from contextlib import closing

import pytest

from cpunet.batch.folder import Piece, Plan
from cpunet.batch.merging.paths_in_text import Moved
from cpunet.batch.merging.sqlite_tables import image_numbers_in, is_database, merge_databases
from cpunet.errors import BatchError

SCHEMA = """
create table Experiment (experiment_id integer primary key autoincrement, name text);
create table Experiment_Properties (experiment_id integer, field text, value text);
create table My_Per_Image (ImageNumber integer primary key, Image_Group_Number integer, Image_PathName_X text);
create table My_Per_Object (ImageNumber integer, ObjectNumber integer, Area float);
create table My_Per_Experiment (Pipeline_Pipeline text, Run_Timestamp text, Modification_Timestamp text);
create table My_Per_RelationshipTypes (
    relationship_type_id integer primary key, module_number integer, relationship text);
create table My_Per_Relationships (relationship_type_id integer, image_number1 integer, object_number1 integer);
create view My_Per_RelationshipsView as select * from My_Per_Relationships;
insert into Experiment (name) values ('mine');
insert into Experiment_Properties values (1, 'db_sqlite_file', 'PLAN/all.db');
insert into My_Per_Experiment values ('with CreateBatchFiles', 'begin', null);
insert into My_Per_RelationshipTypes values (1, 5, 'Parent');
"""
PLAN = Plan((Piece("1", 1, 2), Piece("2", 3, 3)), ((1, 2), (3, 3)), "the pipeline of one run")


def database(path, script):
    path.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(str(path))) as opened:
        opened.executescript(SCHEMA.replace("PLAN", str(path.parents[1] / "plan")) + script)
    return path


def rows(path, table):
    with closing(sqlite3.connect(str(path))) as opened:
        return opened.execute(f"select * from {table} order by rowid").fetchall()


@pytest.fixture
def merged(tmp_path):
    def merge(*scripts):
        empty = database(tmp_path / "plan" / "all.db", "")
        sources = []
        for number, script in enumerate(scripts, start=1):
            path = database(
                tmp_path / f"piece{number}" / "all.db", script.replace("HERE", str(tmp_path / f"piece{number}"))
            )
            sources.append((path, Moved(path.parent, to=tmp_path)))
        merge_databases(empty, Moved(empty.parent, to=tmp_path), sources, tmp_path / "all.db", PLAN)
        return tmp_path / "all.db"

    return merge


FIRST = """
insert into My_Per_Image values (1, 1, 'HERE/a'); insert into My_Per_Image values (2, 1, 'HERE/b');
insert into My_Per_Object values (1, 1, 5.5); insert into My_Per_Object values (2, 1, null);
insert into My_Per_Relationships values (1, 1, 1);
update My_Per_Experiment set Modification_Timestamp = 'end 1';
"""
SECOND = """
insert into My_Per_Image values (3, 1, 'HERE/c'); insert into My_Per_Object values (3, 1, 7.0);
insert into My_Per_RelationshipTypes values (2, 9, 'Neighbors');
insert into My_Per_Relationships values (2, 3, 1);
update My_Per_Experiment set Modification_Timestamp = 'end 2';
"""


def test_rows_follow_each_other_and_the_experiment_stands_there_once(merged, tmp_path):
    path = merged(FIRST, SECOND)
    assert is_database(path)
    assert rows(path, "My_Per_Image") == [(1, 1, f"{tmp_path}/a"), (2, 1, f"{tmp_path}/b"), (3, 2, f"{tmp_path}/c")]
    assert rows(path, "My_Per_Object") == [(1, 1, 5.5), (2, 1, None), (3, 1, 7.0)]
    assert rows(path, "Experiment") == [(1, "mine")]
    assert rows(path, "Experiment_Properties") == [(1, "db_sqlite_file", f"{tmp_path}/all.db")]
    assert rows(path, "My_Per_Experiment") == [("the pipeline of one run", "begin", "end 2")]
    assert image_numbers_in(path) == {"My_Per_Image": [1, 2, 3]}


def test_a_kind_of_relationship_has_one_number_in_all_pieces(merged):
    third = SECOND.replace("(3,", "(4,").replace(", 3,", ", 4,").replace("(2, 9", "(7, 9").replace("(2, 4", "(7, 4")
    path = merged(FIRST, SECOND, third)
    assert rows(path, "My_Per_RelationshipTypes") == [(1, 5, "Parent"), (2, 9, "Neighbors")]
    assert rows(path, "My_Per_Relationships") == [(1, 1, 1), (2, 3, 1), (2, 4, 1)]


def test_an_image_set_of_two_pieces_is_an_error_and_nothing_is_written(merged, tmp_path):
    with pytest.raises(BatchError, match="cannot be merged: UNIQUE"):
        merged(FIRST, FIRST)
    assert not list(tmp_path.glob("all.db*"))


def test_other_tables_are_an_error(merged):
    with pytest.raises(BatchError, match="other tables"):
        merged(FIRST, "create table Another (ImageNumber integer);")
