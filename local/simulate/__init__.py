"""A small call centre that rings, misses and wins back, played against a running stack.

`people`, `centre` and `carrier` are its days, and `switch` its telephone system: virtual time, no
I/O, one seed. `truth` and `audit` reckon what the product should find. `play` puts the days to the
API; `live` goes on in real time, with `floor` for the operators, `exchange` for the telephones,
`quotes`, `messenger` for the `chats` on WhatsApp, and `feed` for who watches; `headlines` are the
dashboard's, `verdict` compares; `telemarketing` works through a `campaign`; `view`, `live_view` and
`telemarketing_view` show it.
"""
