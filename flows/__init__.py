"""Prefect, and nothing but Prefect: it says when, shows it, retries it and reacts; the work is in pipeline/.

Prefect reads its environment when it is first imported, so a caller connects before it imports a flow:

    with connected(workspace, say=print):
        from flows.training import train_workspace

        promotion = train_workspace(workspace)
"""
