"""One visual per layer; each follows a :class:`~star_viewer.scene.state.SceneState` and owns its VTK objects."""
